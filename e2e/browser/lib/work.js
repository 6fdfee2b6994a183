// How much work the page makes for the browser, in units that do not depend on the machine; and how long it took here,
// which does, and is kept in the output alone.

/** Starts counting on a page; `take()` answers what was counted since the last call. */
export async function countWork(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const read = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
  await page.evaluate(() => {
    const counted = (window.counted = { frames: 0, articles: 0, elements: 0 });
    requestAnimationFrame(function frame() {
      counted.frames++;
      counted.articles = Math.max(counted.articles, document.querySelectorAll("article").length);
      counted.elements = Math.max(counted.elements, document.querySelectorAll("*").length);
      requestAnimationFrame(frame);
    });
  });
  let before = await read();
  return {
    async take() {
      const counted = await page.evaluate(() => {
        const { ...copy } = window.counted;
        Object.assign(window.counted, { frames: 0, articles: 0, elements: 0 });
        return copy;
      });
      const now = await read();
      const spent = (name) => now[name] - before[name];
      const milliseconds = (name) => Math.round(spent(name) * 1000);
      const result = {
        // The most that were in the document in one frame.
        articles: counted.articles,
        elements: counted.elements,
        layouts: spent("LayoutCount"),
        styles: spent("RecalcStyleCount"),
        frames: counted.frames,
        scriptMs: milliseconds("ScriptDuration"),
        layoutMs: milliseconds("LayoutDuration") + milliseconds("RecalcStyleDuration"),
        cpuMs: milliseconds("ThreadTime"),
      };
      before = now;
      return result;
    },
  };
}
