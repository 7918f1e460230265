/* Comfort only: every page works without this file. No network, no storage but one switch for shortcuts. */
(() => {
  "use strict";
  const page = document;
  const root = page.documentElement;
  const each = (selector, act) => page.querySelectorAll(selector).forEach(act);

  // A second press on a submit button is harmless on the server; it need not travel.
  each("form[data-once]", (form) => form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    window.setTimeout(() => { delete form.dataset.sent; }, 5000);
  }));

  // Leaving quickly: the page left behind does not stay in the history of this tab.
  each("a[data-exit]", (link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    root.hidden = true;
    window.location.replace(link.href);
  }));

  each("[data-copy]", (button) => {
    if (!navigator.clipboard) { return; }
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      page.getElementById(button.dataset.says).textContent = button.dataset.done;
    });
  });

  // Shortcuts: <a data-key="a">, <button data-key="s">. "?" lists them in the dialog with data-keys; Escape blanks
  // everything marked .sensitive at once. Single letters can be switched off (WCAG 2.1.4).
  const SWITCH = "vigil-shortcuts";
  const remembered = () => { try { return localStorage.getItem(SWITCH) !== "off"; } catch { return true; } };
  const remember = (on) => { try { localStorage.setItem(SWITCH, on ? "on" : "off"); } catch { /* private window */ } };
  const typing = (target) => target.closest("textarea, select, [contenteditable], input:not([type=radio]):not([type=checkbox])");
  const dialog = page.querySelector("dialog[data-keys]");
  const toggle = page.querySelector("input[data-shortcuts]");
  if (toggle) {
    toggle.checked = remembered();
    toggle.addEventListener("change", () => remember(toggle.checked));
  }
  const move = (step) => {
    const rows = [...page.querySelectorAll("tr[data-row]")];
    if (!rows.length) { return false; }
    const here = rows.indexOf(page.activeElement.closest("tr[data-row]"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, here + step))];
    (next.querySelector("a, button") || next).focus();
    return true;
  };
  page.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { if (page.querySelector(".sensitive")) { root.classList.add("blanked"); } return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) { return; }
    if (event.key === "?" && dialog) { event.preventDefault(); dialog.showModal(); return; }
    if (!remembered()) { return; }
    if ((event.key === "j" && move(1)) || (event.key === "k" && move(-1))) { event.preventDefault(); return; }
    const wanted = [...page.querySelectorAll("[data-key]")].find((part) => part.dataset.key === event.key);
    if (wanted) {
      event.preventDefault();
      wanted.focus();
      if (wanted.matches("a, button")) { wanted.click(); }
    }
  });
  each("[data-unblank]", (button) => button.addEventListener("click", () => root.classList.remove("blanked")));
})();
