// npm's acme-client: issues by http-01, changes the account's key, revokes. Arguments: directory, key id,
// HMAC key, web root, name, file for the certificate.
const fs = require("fs");
const acme = require("acme-client");

async function main() {
  const [directoryUrl, kid, hmacKey, root, name, out] = process.argv.slice(2);
  const accountKey = await acme.crypto.createPrivateEcdsaKey();
  const client = new acme.Client({ directoryUrl, accountKey, externalAccountBinding: { kid, hmacKey } });
  const [, csr] = await acme.crypto.createCsr({ commonName: name, altNames: [name] });
  const certificate = await client.auto({
    csr,
    email: "ada@example.com",
    termsOfServiceAgreed: true,
    challengePriority: ["http-01"],
    skipChallengeVerification: true,
    challengeCreateFn: async (_, challenge, text) =>
      fs.writeFileSync(`${root}/.well-known/acme-challenge/${challenge.token}`, text),
    challengeRemoveFn: async () => {},
  });
  fs.writeFileSync(out, certificate);
  await client.updateAccountKey(await acme.crypto.createPrivateEcdsaKey());
  await client.revokeCertificate(certificate, { reason: 4 });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
