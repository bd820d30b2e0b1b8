// Small helps on top of pages that work without them. No inline handlers, no eval: runs under
// `script-src 'self'`. Every text a person reads comes translated from the server in data attributes.
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("cd-scripted"); // the script stands in the head: no flash of an open menu

  const announce = (text) => {
    const live = document.getElementById("cd-live");
    if (live) live.textContent = text;
  };

  // ---- copy buttons: data-copy="the text", data-copied="the word to show" ----
  const copyByHand = (text) => {
    // The clipboard API is absent on plain http beyond loopback.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };

  const copy = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      if (!copyByHand(text)) return;
      button.focus();
    }
    const word = button.querySelector("[data-copy-word]");
    if (!word || button.dataset.copyBefore) return announce(button.dataset.copied);
    button.dataset.copyBefore = word.textContent;
    word.textContent = button.dataset.copied;
    announce(button.dataset.copied);
    setTimeout(() => {
      word.textContent = button.dataset.copyBefore;
      delete button.dataset.copyBefore;
      announce("");
    }, 2000);
  };

  // ---- menus: the side navigation when narrow; <details> close on Escape and outside clicks ----
  const toggleNavigation = (button) => {
    const side = button.closest(".cd-side");
    const open = side.toggleAttribute("data-open");
    button.setAttribute("aria-expanded", String(open));
  };

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.cd-menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  };

  // A panel that would leave the window moves back into it.
  const placePanel = (menu) => {
    const panel = menu.querySelector(".cd-menu-panel");
    if (!menu.open || !panel) return;
    panel.style.transform = "";
    const box = panel.getBoundingClientRect();
    const over = box.right - (root.clientWidth - 8);
    const under = 8 - box.left;
    if (over > 0) panel.style.transform = `translateX(${-over}px)`;
    else if (under > 0) panel.style.transform = `translateX(${under}px)`;
  };

  // ---- dialogs: data-dialog="id" opens, data-dialog-close closes ----
  const openDialog = (event, opener) => {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (!dialog) return; // the opener is a link to the page that asks the same
    event.preventDefault();
    closeMenus();
    dialog.showModal();
  };

  // data-confirm-name="shop.example.net" on an input: its form can be sent once the name is typed.
  const guardConfirmation = (input) => {
    const button = input.form.querySelector("[type=submit]");
    button.disabled = input.value.trim().toLowerCase() !== input.dataset.confirmName.toLowerCase();
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy],[data-menu-toggle],[data-dialog],[data-dialog-close],[data-dismiss],[data-print]");
    closeMenus(event.target.closest("details.cd-menu"));
    if (!target) return;
    if ("copy" in target.dataset) copy(target);
    else if ("menuToggle" in target.dataset) toggleNavigation(target);
    else if ("dialogClose" in target.dataset) target.closest("dialog").close();
    else if ("dialog" in target.dataset) openDialog(event, target);
    else if ("dismiss" in target.dataset) target.closest(".cd-message").remove();
    else window.print();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = event.target.closest("details.cd-menu[open]");
    closeMenus();
    if (menu) menu.querySelector("summary").focus();
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.cd-menu")) placePanel(event.target);
  }, true);

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-confirm-name]")) guardConfirmation(event.target);
  });

  // ---- a form is sent once; htmx guards its own requests ----
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "get" || form.matches("[hx-post],[hx-get],[data-resend]")) return;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    // After the event: a button disabled now would drop out of what is sent.
    setTimeout(() => {
      for (const button of form.querySelectorAll("[type=submit]")) {
        button.disabled = true;
        button.setAttribute("aria-busy", "true");
      }
    }, 0);
  });

  // Coming back by the browser's history shows the old page: let its forms be sent again.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-busy]")) {
        button.disabled = false;
        button.removeAttribute("aria-busy");
      }
    }
  });

  // ---- moments: keep "3 minutes ago" true while the page stays open ----
  // Business time may be moved in a lab, so the server's clock counts, carried on by this machine's.
  const loaded = performance.now();
  const serverNow = () => Date.parse(root.dataset.now) + performance.now() - loaded;

  const relative = (milliseconds) => {
    const seconds = Math.floor(Math.abs(milliseconds) / 1000);
    const sign = milliseconds < 0 ? -1 : 1;
    const format = new Intl.RelativeTimeFormat(root.lang, { numeric: "always" });
    if (seconds < 60) return null; // the server's words stay
    if (seconds < 5400) return format.format(sign * Math.floor(seconds / 60), "minute");
    if (seconds < 172800) return format.format(sign * Math.floor(seconds / 3600), "hour");
    if (seconds < 730 * 86400) return format.format(sign * Math.floor(seconds / 86400), "day");
    return null;
  };

  const refreshMoments = () => {
    if (!root.dataset.now) return;
    for (const time of document.querySelectorAll("time[data-moment]")) {
      const text = relative(Date.parse(time.dateTime) - serverNow());
      const word = time.querySelector("b") || time;
      if (text && word.textContent !== text) word.textContent = text;
    }
  };

  // The server writes UTC; a time of day is shown in the reader's own zone.
  const ownClock = () => {
    const zoned = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
    for (const time of document.querySelectorAll("time[data-clock]:not([data-own])")) {
      time.textContent = new Date(time.dateTime).toLocaleTimeString(root.lang, zoned);
      time.dataset.own = "1";
    }
  };
  document.addEventListener("DOMContentLoaded", ownClock);
  document.addEventListener("htmx:afterSwap", ownClock);

  // The server writes UTC; hovering adds the reader's own zone.
  const addOwnZone = (event) => {
    const time = event.target.closest?.("time[title]:not([data-zoned])");
    if (!time) return;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const own = new Date(time.dateTime).toLocaleString(root.lang, { dateStyle: "medium", timeStyle: "medium" });
    if (zone && zone !== "UTC") time.title = `${time.title}\n${own} ${zone}`;
    time.dataset.zoned = "1";
  };
  document.addEventListener("mouseover", addOwnZone);
  setInterval(refreshMoments, 30000);

  // htmx: a fragment that fails with a status of ours still carries words for the reader.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if ([400, 403, 404, 409, 422].includes(event.detail.xhr.status)) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const said = document.getElementById(event.detail.target.id)?.dataset.announce;
    if (said) announce(said);
  });

  // A page that answers a form (it was refused) takes the place of a plain visit in the history: going back to it or
  // loading it again then never sends the form anew. The first thing to correct gets the focus.
  const answered = () => {
    if (!("posted" in root.dataset)) return;
    history.replaceState(null, "", location.href);
    const wrong = document.querySelector('main [aria-invalid="true"]');
    const said = document.querySelector('main [role="alert"]');
    if (said && !wrong) said.tabIndex = -1;
    (wrong || said)?.focus();
  };
  document.addEventListener("DOMContentLoaded", answered);

  const prepare = () => document.querySelectorAll("[data-confirm-name]").forEach(guardConfirmation);
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:load", prepare);
})();
