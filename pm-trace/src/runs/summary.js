// The page has nothing to draw anew when its colours change.
colours(() => {})();
