/* The viewer of the API's description. It asks this host alone and keeps nothing after the page is left. */
"use strict";

(() => {
  document.documentElement.classList.toggle("dark-mode", window.matchMedia("(prefers-color-scheme: dark)").matches);
  const place = document.getElementById("reference");
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    validatorUrl: null,
    persistAuthorization: false,
    defaultModelsExpandDepth: 0,
    displayOperationId: true,
    tagsSorter: "alpha",
    showExtensions: true,
  });
})();
