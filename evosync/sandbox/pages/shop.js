"use strict";
(() => {
  const PAUSE = 2000;
  const FRESH = 4000;
  const live = document.getElementById("live");
  if (!live) return;

  const text = (card) => card.textContent.replace(/\s+/g, " ").trim();
  const snapshot = (root) =>
    new Map([...root.querySelectorAll("[data-item]")].map((card) => [card.dataset.item, text(card)]));

  // What changed is marked for a moment, so that the eye finds it.
  const mark = (root, before) => {
    for (const card of root.querySelectorAll("[data-item]")) {
      if (before.get(card.dataset.item) !== text(card)) {
        card.classList.add("fresh");
        setTimeout(() => card.classList.remove("fresh"), FRESH);
      }
    }
  };

  const place = (html) => {
    const old = document.getElementById("goods");
    const made = new DOMParser().parseFromString(html, "text/html").getElementById("goods");
    if (!old || !made) return;
    const before = snapshot(old);
    const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(made);
    mark(made, before);
    if (focus) {
      const again = [...made.querySelectorAll("a")].find((link) => link.getAttribute("href") === focus);
      if (again) again.focus({ preventScroll: true });
    }
    live.textContent = `${live.dataset.updated} ${new Date().toLocaleTimeString(document.documentElement.lang)}`;
  };

  const look = async () => {
    if (!document.hidden) {
      const query = new URLSearchParams(location.search);
      query.set("version", document.getElementById("goods").dataset.version);
      try {
        const reply = await fetch(`${location.pathname}/goods?${query}`, { cache: "no-store" });
        if (reply.status === 200) place(await reply.text());
      } catch {
        live.textContent = live.dataset.offline;
      }
    }
    setTimeout(look, PAUSE);
  };
  setTimeout(look, PAUSE);
})();
