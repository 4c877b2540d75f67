// Fills the field of each passkey form, and sends it. Without script, or without passkeys, the forms stay hidden:
// a code does as well.
const octets = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const asked = {
  async get(options) {
    options.challenge = octets(options.challenge);
    for (const one of options.allowCredentials) one.id = octets(one.id);
    const key = await navigator.credentials.get({ publicKey: options });
    return {
      id: text(key.rawId),
      client_data: text(key.response.clientDataJSON),
      authenticator_data: text(key.response.authenticatorData),
      signature: text(key.response.signature),
    };
  },
  async create(options) {
    options.challenge = octets(options.challenge);
    options.user.id = octets(options.user.id);
    for (const one of options.excludeCredentials) one.id = octets(one.id);
    const key = await navigator.credentials.create({ publicKey: options });
    return {
      id: text(key.rawId),
      client_data: text(key.response.clientDataJSON),
      authenticator_data: text(key.response.getAuthenticatorData()),
      public_key: text(key.response.getPublicKey()),
      algorithm: key.response.getPublicKeyAlgorithm(),
    };
  },
};
for (const form of document.querySelectorAll("form.passkey")) {
  if (!window.PublicKeyCredential) continue;
  const [button] = form.getElementsByTagName("button");
  const unused = form.querySelector("[role=alert]");
  form.hidden = false;
  for (const hint of document.querySelectorAll(".no-passkeys")) hint.hidden = true;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    [button.disabled, unused.hidden] = [true, true];
    asked[form.dataset.does](JSON.parse(form.dataset.options)).then((answer) => {
      form.elements.passkey.value = JSON.stringify(answer);
      form.submit();
    }, () => {
      // The person said no, or took too long, or has none here.
      unused.hidden = false;
    }).finally(() => {
      button.disabled = false;
    });
  });
}
