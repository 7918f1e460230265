/* Hashes of files, computed here: the file itself has no name in the form and never leaves this device. */
(() => {
  "use strict";
  const MOST = 512 * 1024 * 1024;
  const chooser = document.querySelector("input[data-hash-file]");
  const said = document.querySelector("[data-hash-said]");
  if (!chooser || !said || !window.crypto || !window.crypto.subtle) { return; }
  document.querySelectorAll("[data-needs-script]").forEach((part) => { part.hidden = false; });
  document.querySelectorAll("[data-no-script]").forEach((part) => { part.hidden = true; });
  const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const fields = [...document.querySelectorAll("input[data-hash]")];
  chooser.addEventListener("change", async () => {
    fields.forEach((field) => { field.value = ""; });
    const files = [...chooser.files];
    if (!files.length) { said.textContent = ""; return; }
    if (files.some((file) => file.size > MOST)) { said.textContent = said.dataset.large; return; }
    said.textContent = said.dataset.working;
    const found = Object.fromEntries(fields.map((field) => [field.dataset.hash, []]));
    for (const file of files) {
      const bytes = await file.arrayBuffer();
      for (const name of Object.keys(found)) { found[name].push(hex(await crypto.subtle.digest(name, bytes))); }
    }
    fields.forEach((field) => { field.value = found[field.dataset.hash].join(" "); });
    said.textContent = said.dataset.done;
  });
})();
