"use strict";
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const known = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

async function post(where, body, csrf) {
  const headers = { "Content-Type": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  const answer = await fetch(where, { method: "POST", headers, body: JSON.stringify(body), credentials: "same-origin" });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.message || "it was refused");
  return found;
}

async function ask(button) {
  const { ask: where, csrf } = button.dataset;
  const answer = await fetch(where, { method: "POST", headers: csrf ? { "X-CSRF-Token": csrf } : {}, credentials: "same-origin" });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.message || "it was refused");
  return found;
}

async function show(button) {
  const { ticket, options } = await ask(button);
  const shown = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: known(options.allowCredentials) },
  });
  const { authenticatorData, clientDataJSON, signature, userHandle } = shown.response;
  const answer = {
    id: shown.id, rawId: text(shown.rawId), type: shown.type,
    response: {
      authenticatorData: text(authenticatorData), clientDataJSON: text(clientDataJSON), signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    },
  };
  await post(button.dataset.show, { ticket, answer }, button.dataset.csrf);
  location.assign(button.dataset.next);
}

async function make(button) {
  const { ticket, options } = await ask(button);
  const made = await navigator.credentials.create({
    publicKey: {
      ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
    },
  });
  const answer = {
    id: made.id, rawId: text(made.rawId), type: made.type,
    response: { attestationObject: text(made.response.attestationObject), clientDataJSON: text(made.response.clientDataJSON) },
  };
  const title = document.getElementById("title").value;
  const { codes } = await post(button.dataset.show, { ticket, answer, title }, button.dataset.csrf);
  if (!codes.length) return location.assign("/account");
  const place = document.getElementById("passkey-codes");
  for (const code of codes) {
    const row = document.createElement("li");
    row.append(document.createElement("code"));
    row.firstChild.textContent = code;
    place.querySelector("ul").append(row);
  }
  button.hidden = true;
  place.hidden = false;
}

for (const [name, act] of [["passkey", show], ["passkey-new", make]]) {
  const button = document.getElementById(name);
  if (!button || !window.PublicKeyCredential) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const place = document.getElementById("passkey-error");
    place.hidden = true;
    button.disabled = true;
    try {
      await act(button);
    } catch (error) {
      place.textContent = error.name === "NotAllowedError" ? "The passkey was not shown." : error.message;
      place.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
