// The page around the timeline: controls, colours, search, print.

(() => {
  const get = (id) => document.getElementById(id);
  const root = document.documentElement;
  const data = read(get("data").textContent);
  const view = new Timeline(data);

  const useTheme = colours(() => { view.colour = null; view.draw(); });

  // Which stretch of time.
  const stretches = windows(data);
  const choice = get("window");
  stretches.forEach((stretch, n) => choice.add(new Option(stretch.name, n)));
  function showStretch(n) {
    const { from, to } = stretches[n];
    const margin = (to - from) / 50;
    choice.value = n;
    view.show(from - margin, to + margin);
  }
  choice.addEventListener("change", () => { showStretch(choice.value); filter(); });

  // Which lanes.
  const matching = get("search");
  function filter() {
    const lanes = search(data, matching.value);
    get("count").textContent = matching.value.trim() ? lanes.length + " of " + data.names.length + " lanes" : data.names.length + " lanes";
    view.only(arrange(data, lanes, get("order").value, view.from, view.to));
  }
  matching.addEventListener("input", filter);
  get("order").addEventListener("change", filter);

  // What is under the pointer.
  const tip = get("tip"), detail = get("detail");
  function write(element, { title, lines }) {
    element.replaceChildren();
    element.append(Object.assign(document.createElement("b"), { textContent: title }));
    for (const line of lines) element.append(Object.assign(document.createElement("span"), { textContent: line }));
  }
  /** Keeps a bar marked, and what is known of it below, with the other places of the page that are about its lane. */
  function keep(bar) {
    view.kept = bar;
    if (bar >= 0) {
      write(detail, view.about(bar));
      const others = placesOf(data.bars.lane[bar]);
      if (others.length) {
        const line = Object.assign(document.createElement("span"), { textContent: "see also: " });
        others.forEach((link, n) => line.append(n ? ", " : "", link));
        detail.append(line);
      }
    }
    view.draw();
  }
  const placesOf = links(data, (lane) => {
    if (view.places[lane] < 0) { matching.value = ""; filter(); }
    const bar = view.reveal(lane);
    get("time").scrollIntoView();
    view.box.focus({ preventScroll: true });
    keep(bar);
  });
  function point(event) {
    const area = view.canvas.getBoundingClientRect();
    const bar = view.barAt(event.clientX - area.left, event.clientY - area.top);
    if (bar !== view.over) { view.over = bar; view.draw(); }
    tip.hidden = bar < 0;
    if (bar < 0) return;
    write(tip, view.about(bar));
    const right = event.clientX + tip.offsetWidth + 24 > innerWidth;
    tip.style.left = Math.max(4, right ? event.clientX - tip.offsetWidth - 12 : event.clientX + 14) + "px";
    tip.style.top = (event.clientY + tip.offsetHeight + 24 > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 16) + "px";
  }
  function leave() {
    tip.hidden = true;
    if (view.over >= 0) { view.over = -1; view.draw(); }
  }

  // Drag, wheel, keys.
  let drag = null;
  view.canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, top: view.box.scrollTop, moved: false };
    view.canvas.setPointerCapture(event.pointerId);
  });
  view.canvas.addEventListener("pointermove", (event) => {
    if (!drag) return point(event);
    const by = event.clientX - drag.x;
    drag.moved ||= Math.abs(by) + Math.abs(event.clientY - drag.y) > 4;
    if (!drag.moved) return;
    leave();
    const time = by / (view.width - view.left) * (drag.to - drag.from);
    view.box.scrollTop = drag.top - (event.clientY - drag.y);
    view.show(drag.from - time, drag.to - time);
  });
  view.canvas.addEventListener("pointerup", () => {
    if (drag && !drag.moved) keep(view.over);
    drag = null;
  });
  view.canvas.addEventListener("pointerleave", leave);
  view.canvas.addEventListener("dblclick", (event) => view.zoom(0.4, event.clientX - view.canvas.getBoundingClientRect().left));
  view.box.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) {
      event.preventDefault();
      view.zoom(event.deltaY > 0 ? 1.25 : 0.8, event.clientX - view.canvas.getBoundingClientRect().left);
    } else if (event.deltaX || event.shiftKey) {
      event.preventDefault();
      view.pan((event.deltaX || event.deltaY) / view.width);
    }
  }, { passive: false });
  view.box.addEventListener("scroll", () => { leave(); view.draw(); });
  const KEYS = {
    ArrowLeft: () => view.pan(-0.15), ArrowRight: () => view.pan(0.15),
    ArrowUp: () => { view.box.scrollTop -= 3 * ROW; }, ArrowDown: () => { view.box.scrollTop += 3 * ROW; },
    "+": () => view.zoom(0.6), "=": () => view.zoom(0.6), "-": () => view.zoom(1 / 0.6), 0: () => showStretch(choice.value),
  };
  view.box.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  get("closer").addEventListener("click", KEYS["+"]);
  get("farther").addEventListener("click", KEYS["-"]);
  get("fit").addEventListener("click", KEYS[0]);
  for (const name of ["arrows", "path"]) {
    get(name).addEventListener("change", (event) => { view[name] = event.target.checked; view.draw(); });
  }
  view.overview.addEventListener("pointermove", (event) => { if (event.buttons) jump(event); });
  view.overview.addEventListener("pointerdown", jump);
  function jump(event) {
    const middle = (event.clientX - view.overview.getBoundingClientRect().left) / view.width * data.end;
    const half = (view.to - view.from) / 2;
    view.show(middle - half, middle + half);
  }

  // What the colours mean.
  for (const [name, colour] of [...KINDS.map((kind) => [kind.name, kind.colour]), ["critical path", "--critical"], ["in a finding, or not ended", "--bad"]]) {
    const entry = document.createElement("li");
    entry.className = colour.slice(2);
    entry.textContent = name;
    get("legend").append(entry);
  }
  if (data.left[0]) {
    const entry = document.createElement("li");
    entry.textContent = data.left[0] + " bars of at most " + duration(data.left[1]) + " are left out";
    get("legend").append(entry);
  }

  // The device tree.
  const tree = get("tree");
  const rows = [...tree.querySelectorAll("summary, p")];
  const fold = (open) => tree.querySelectorAll("details").forEach((list) => { list.open = open; });
  get("fold").addEventListener("click", () => fold(false));
  get("unfold").addEventListener("click", () => fold(true));
  get("find").addEventListener("input", () => {
    const words = get("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const hit = words.length > 0 && words.every((word) => row.textContent.toLowerCase().includes(word));
      row.classList.toggle("hit", hit);
      if (!hit) continue;
      count++;
      for (let above = row.parentElement; above && above !== tree; above = above.parentElement) above.open = true;
    }
    get("found").textContent = words.length ? count + " found" : "";
    const first = tree.querySelector(".hit");
    if (first) first.scrollIntoView({ block: "nearest" });
  });

  // On paper: light, with the evidence of the findings.
  let before = null;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    document.querySelectorAll("#findings details, .cycle").forEach((part) => { part.open = true; });
    view.colours();
    view.paint();
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = before || "auto";
    view.colours();
    view.draw();
  });

  new ResizeObserver(() => view.layout()).observe(view.box);
  useTheme();
  // It opens with what was found first, or else with the last resume.
  const found = stretches.findIndex((stretch) => stretch.found);
  const resumes = stretches.map((stretch) => Boolean(stretch.resume)).lastIndexOf(true);
  showStretch(found >= 0 ? found : Math.max(resumes, 0));
  filter();
  // How long it took from the start of loading to the first picture.
  requestAnimationFrame(() => setTimeout(() => { root.dataset.ready = Math.round(performance.now()); }));
})();
