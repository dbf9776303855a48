// @ts-check
/**
 * Safari lays its keyboard over the page instead of shrinking it, so the visible height is handed to
 * the style sheet; elsewhere this equals the window's height.
 */
export function followViewport() {
  const view = window.visualViewport;
  if (!view) return;
  const fit = () => {
    // Pinch-zoom shrinks the visual viewport too, but must not shrink the page.
    if (view.scale > 1.01) return;
    document.documentElement.style.setProperty("--height", `${Math.round(view.height)}px`);
    scrollTo(0, 0);
  };
  view.addEventListener("resize", fit);
  fit();
}
