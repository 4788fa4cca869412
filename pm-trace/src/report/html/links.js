// From one place of the page to another about the same device or task: wait graph, chains, device tree, timeline.

/**
 * Joins the places. `show(lane)` brings a lane of the timeline into sight. Gives the places of a lane, as links.
 *
 * An element with `data-lane` is about a lane: `d12` about device 12, whose row in the tree has that id, `t12` about
 * thread 12.
 */
function links(data, show) {
  const get = (id) => document.getElementById(id);
  const tree = get("tree");
  const key = (lane) => ["", "d", "t"][data.kinds[lane]] + data.ids[lane];
  const lanes = new Map(data.names.map((_, lane) => [key(lane), lane]));
  const about = new Map();
  for (const element of document.querySelectorAll("[data-lane]")) {
    const name = element.dataset.lane;
    if (!about.has(name)) about.set(name, []);
    about.get(name).push(element);
    // With the timeline there, tasks have something to lead to as well.
    if (!element.hasAttribute("href") && lanes.has(name)) element.setAttribute("href", "#time");
  }

  /** What an element of the page is about. */
  function keyAt(element) {
    const marked = element.closest("[data-lane]");
    if (marked) return marked.dataset.lane;
    const row = element.closest("#tree summary, #tree p");
    return row ? row.id : "";
  }

  // Pointing at one marks all of them.
  let marked = "";
  const places = (name) => [...(about.get(name) || []), get(name)].filter(Boolean);
  function mark(name) {
    if (name === marked) return;
    places(marked).forEach((element) => element.classList.remove("same"));
    marked = name;
    if (about.has(name)) places(name).forEach((element) => element.classList.add("same"));
  }
  const main = document.querySelector("main");
  main.addEventListener("pointerover", (event) => mark(keyAt(event.target)));
  main.addEventListener("focusin", (event) => mark(keyAt(event.target)));

  function unfold(row) {
    for (let above = row.parentElement; above && above !== tree; above = above.parentElement) above.open = true;
  }
  main.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const target = link && (link.getAttribute("href") || "").slice(1);
    if (link && link.ownerSVGElement) {
      // A node of the graph opens what is known of it, in the list beside.
      get(target).querySelectorAll("details").forEach((part) => { part.open = true; });
    } else if (link ? link.dataset.lane : event.target.closest("#tree b")) {
      const lane = lanes.get(keyAt(event.target));
      if (lane === undefined) return;
      event.preventDefault();
      show(lane);
    }
    if (target && /^d\d+$/.test(target) && get(target)) unfold(get(target));
  });

  return (lane) => {
    const all = [];
    const add = (id, text) => all.push(Object.assign(document.createElement("a"), { href: "#" + id, textContent: text }));
    const found = new Set((about.get(key(lane)) || []).map((element) => element.closest("article, section").id));
    for (const id of found) add(id, id === "waits" ? "waits at the end" : id.replace("-", " "));
    if (data.kinds[lane] === 1 && get(key(lane))) add(key(lane), "device tree");
    return all;
  };
}

