// A real OpenID provider (npm: oidc-provider) for the tests: groups, clients and keys are changed through /control.
// usage: node provider.mjs PATH/TO/oidc-provider/lib/index.js
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const { default: Provider } = await import(pathToFileURL(process.argv[2]));
const state = { redirect: "http://localhost:1/", groups: {}, n: 0, keys: [] };
let handler = (request, response) => response.end();

function build() {
  const issuer = `http://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "redan", client_secret: "a secret of the client", redirect_uris: [state.redirect + "/login/oidc/back"],
      post_logout_redirect_uris: [state.redirect + "/login"], response_types: ["code"], grant_types: ["authorization_code"],
    }],
    jwks: { keys: state.keys },
    cookies: { keys: ["k"] },
    conformIdTokenClaims: false,
    claims: { openid: ["sub"], profile: ["preferred_username", "email", "email_verified", "groups"] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, email: "root@example.com", email_verified: true, groups: state.groups[id] ?? [] }),
    }),
  });
  handler = provider.callback();
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  state.n += 1;
  state.keys = [{ ...privateKey.export({ format: "jwk" }), kid: `key-${state.n}`, alg: "RS256", use: "sig" }];
}

const server = createServer((request, response) => {
  if (request.url !== "/control") return handler(request, response);
  let body = "";
  request.on("data", (data) => (body += data));
  request.on("end", () => {
    const { rotate, ...rest } = JSON.parse(body);
    Object.assign(state, rest);
    if (rotate) newKey();
    build();
    response.end("{}");
  });
});
server.listen(0, "127.0.0.1", () => {
  newKey();
  build();
  console.log(server.address().port);
});
