/* Security keys (WebAuthn) on the pages of signing in. Without script these pages offer the code only.

   <form data-key-act="create|get" data-key-options="ID of a JSON script"> with a hidden field "credential" and a button.
   What the browser answers goes into the field as JSON, and the form is sent. */
(() => {
  "use strict";
  const able = window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON
    && PublicKeyCredential.parseRequestOptionsFromJSON;
  const ask = async (form) => {
    const { publicKey } = JSON.parse(document.getElementById(form.dataset.keyOptions).textContent);
    if (form.dataset.keyAct === "create") {
      return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) });
    }
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  };
  document.querySelectorAll("form[data-key-act]").forEach((form) => {
    const says = form.querySelector("[data-key-says]");
    if (!able) { says.textContent = says.dataset.keySays; return; }
    form.querySelector("button").hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      says.textContent = "";
      try {
        form.elements.credential.value = JSON.stringify((await ask(form)).toJSON());
        form.submit();
      } catch {
        says.textContent = form.dataset.keyFailed;
      }
    });
  });
})();
