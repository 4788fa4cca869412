// Colours: as the system, dark or light. Where a page from a file may store nothing, the choice lasts as long as the page.
// Returns what applies the present choice; `changed` is called whenever the page looks different.

function colours(changed) {
  const root = document.documentElement, button = document.getElementById("theme");
  const THEMES = ["auto", "dark", "light"];
  let theme = "auto";
  try { theme = localStorage.getItem("pm-trace-colours") || theme; } catch { /* not allowed to */ }
  function use(name) {
    theme = THEMES.includes(name) ? name : "auto";
    root.dataset.theme = theme;
    button.textContent = "Colours: " + theme;
    changed();
    try { localStorage.setItem("pm-trace-colours", theme); } catch { /* not allowed to */ }
  }
  root.classList.add("with-script");
  button.addEventListener("click", () => use(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => use(theme));
  return () => use(theme);
}
