// A real OpenID Connect provider for tests. Configuration: one JSON object as the first argument.
// Signs in without pages: whoever comes is the user of the file that the configuration names, read each time.
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const { port, client, secret, redirect, person, jwks } = JSON.parse(process.argv[2]);
const read = () => JSON.parse(readFileSync(person, "utf8"));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: client, client_secret: secret, redirect_uris: [redirect], post_logout_redirect_uris: [] }],
  jwks: JSON.parse(readFileSync(jwks, "utf8")),
  claims: { openid: ["sub", "auth_time", "amr", "acr"], email: ["email", "email_verified"], profile: ["preferred_username", "groups"] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  cookies: { keys: ["for tests alone"] },
  pkce: { required: () => true },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...read().claims }) }),
  loadExistingGrant: async (context) => {
    const grant = new context.oidc.provider.Grant({ clientId: context.oidc.client.clientId, accountId: context.oidc.session.accountId });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});

provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  const { sub, amr, acr } = read();
  await provider.interactionFinished(context.req, context.res, { login: { accountId: sub, amr, acr } });
  context.respond = false;
});

provider.listen(port, "127.0.0.1", () => console.log("ready"));
