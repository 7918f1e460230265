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
})();
