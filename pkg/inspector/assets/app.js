// What the pages do beyond links and forms: copying, keys, and what arrives.
"use strict";
(() => {
  const $ = (selector, inside = document) => inside.querySelector(selector);
  document.documentElement.classList.add("has-js");

  let silence;
  function say(text) {
    $("#said").textContent = text;
    clearTimeout(silence);
    silence = setTimeout(() => ($("#said").textContent = ""), 2500);
  }

  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not allowed, or not a secure context
      const area = document.body.appendChild(document.createElement("textarea"));
      area.value = text;
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say(what + " copied");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const from = button.dataset.copyFrom;
    copy(from ? document.getElementById(from).textContent : button.dataset.copy, button.getAttribute("aria-label")?.replace(/^Copy (as )?/, "") || "Body");
  });

  // What arrives. Browsers allow six connections to a host, so only a page
  // that is seen has a feed: the extension pauses it behind others.
  const fed = $("[hx-sse\\:connect]");
  if (fed) {
    const connect = () => htmx.trigger(fed, "feed");
    document.addEventListener("htmx:after:process", () => {
      if (document.hidden) document.addEventListener("visibilitychange", connect, { once: true });
      else connect();
    }, { once: true });

    const live = (is) => ($("#live").hidden = !is);
    document.addEventListener("htmx:sse:after:connection", () => {
      live(true);
      // The extension misses that a page was hidden while it connected.
      if (document.hidden) setTimeout(() => document.dispatchEvent(new Event("visibilitychange")));
    });
    for (const end of ["error", "close"]) document.addEventListener("htmx:sse:" + end, () => live(false));
  }

  const rows = $("#rows");
  if (rows && rows === fed) {
    let unseen = 0;
    const arrived = $("#arrived");
    const seen = () => { unseen = 0; arrived.hidden = true; };
    arrived.addEventListener("click", () => { scrollTo({ top: 0 }); seen(); });
    addEventListener("scroll", () => { if (scrollY < 100) seen(); }, { passive: true });
    new MutationObserver((changes) => {
      const added = changes.flatMap((change) => [...change.addedNodes]).filter((node) => node.matches?.("tr.delivery"));
      if (!added.length) return;
      $("#empty")?.remove();
      while (rows.rows.length > 500) rows.deleteRow(-1);
      if (scrollY < 100) return;
      unseen += added.length;
      arrived.textContent = unseen + " new";
      arrived.hidden = false;
    }).observe(rows, { childList: true });
  }

  const current = () => document.activeElement.closest?.("tr.delivery");
  function step(down) {
    const all = [...document.querySelectorAll("tr.delivery")];
    if (!all.length) return $(down ? "#older" : "#newer")?.click();
    const at = all.indexOf(current());
    const to = all[at < 0 ? 0 : Math.min(Math.max(at + (down ? 1 : -1), 0), all.length - 1)];
    $("a", to).focus();
    to.scrollIntoView({ block: "nearest" });
  }

  async function copyCurl() {
    let page = document;
    const row = current();
    if (row) page = new DOMParser().parseFromString(await (await fetch($("a", row).href)).text(), "text/html");
    const command = $("#as-curl", page);
    if (command) copy(command.textContent, "curl");
  }

  function again() {
    const row = current();
    if (row) location = $("a", row).href + "#deliver-again";
    else $("#deliver-again")?.focus();
  }

  const keys = {
    j: () => step(true),
    k: () => step(false),
    c: copyCurl,
    r: again,
    "/": () => { const search = $("#search"); if (search) search.focus(); else location = "/"; },
    "?": () => $("#keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
})();
