/* Comfort for the console only: follows the state of something that is under way, asking this door and no other.

   <p data-watch="/address" data-state="running">: once the state is another one, the page is loaded anew
   (data-then="reload"), or the parts of the element that were hidden are shown. */
(() => {
  "use strict";
  const PAUSE = 500;
  const changed = (part) => {
    if (part.dataset.then === "reload") { window.location.reload(); return; }
    part.querySelectorAll("[hidden]").forEach((hidden) => { hidden.hidden = false; });
  };
  const look = async (part) => {
    try {
      const answer = await fetch(part.dataset.watch, { redirect: "error" });
      if ((await answer.json()).state !== part.dataset.state) { changed(part); return; }
    } catch { /* signed out, or the door is closed: ask again later */ }
    window.setTimeout(look, PAUSE, part);
  };
  document.querySelectorAll("[data-watch]").forEach(look);

  // A file that the server would refuse need not travel: <input type="file" data-largest="1000" data-says="Too large.">
  document.querySelectorAll("input[data-largest]").forEach((input) => input.addEventListener("change", () => {
    const tooLarge = input.files[0] && input.files[0].size > Number(input.dataset.largest);
    input.setCustomValidity(tooLarge ? input.dataset.says : "");
    input.reportValidity();
  }));

  // Somebody looks at a file: how long it was visible goes to their own ledger when it ends, by whatever ends it.
  // Escape takes the picture out of the page, not only out of sight. The region follows clicks and the arrow keys.
  document.querySelectorAll("[data-look]").forEach((tile) => {
    const begun = performance.now();
    const picture = tile.querySelector("img");
    const token = tile.querySelector("[name=csrfmiddlewaretoken]").value;
    let ended = false;
    const end = () => {
      if (ended) { return; }
      ended = true;
      const seconds = String(Math.ceil((performance.now() - begun) / 1000));
      fetch(tile.dataset.look, { method: "POST", redirect: "error", keepalive: true, body: new URLSearchParams({ seconds, csrfmiddlewaretoken: token }) });
    };
    const take = () => { end(); picture.removeAttribute("src"); picture.hidden = true; };
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") { take(); } });
    document.addEventListener("visibilitychange", () => { if (document.hidden) { take(); } });
    window.addEventListener("pagehide", end);
    const form = document.querySelector("form:has([data-x])");
    if (!form) { return; }
    const [x, y] = [form.querySelector("[data-x]"), form.querySelector("[data-y]")];
    const region = () => form.querySelector("[value=region]").click();
    const clamp = (number) => String(Math.max(0, Math.min(100, Math.round(number))));
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      x.value = clamp(100 * (event.clientX - box.left) / box.width);
      y.value = clamp(100 * (event.clientY - box.top) / box.height);
      region();
    });
    document.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
      if (!step || event.target.closest("input, select, textarea, a, button")) { return; }
      event.preventDefault();
      x.value = clamp(Number(x.value) + step[0]);
      y.value = clamp(Number(y.value) + step[1]);
      region();
    });
  });
})();
