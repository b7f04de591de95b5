// Shows mails and tells what is seen of each element: its size, its place, its colours.
const { main } = require('./chromium.cjs');

main(async (context, given) => {
  const page = await context.newPage();
  const found = [];
  for (const { html, width } of given.mails) {
    await page.setViewportSize({ width, height: 900 });
    await page.setContent(html);
    found.push(await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      seen: [...document.querySelectorAll('h1, h2, h3, p, li, a, img')].map((each) => {
        const style = getComputedStyle(each);
        const box = each.getBoundingClientRect();
        return {
          tag: each.tagName, text: each.textContent.trim().slice(0, 40),
          width: Math.round(box.width), height: Math.round(box.height),
          size: style.fontSize, family: style.fontFamily, weight: style.fontWeight,
          colour: style.color, align: style.textAlign, line: style.textDecorationLine,
        };
      }),
    })));
  }
  return found;
});
