// Looks at links as a mail scanner with a browser does: HEAD, then GET with scripts on, then every
// link of the page on the same site. Prints what was asked and what was answered (0: nothing).
const { main } = require('./chromium.cjs');

main(async (context, given) => {
  const page = await context.newPage();
  const asked = [];
  let method;
  await page.route('**/*', (route) => (
    route.continue(route.request().isNavigationRequest() ? { method } : {})
  ));
  const look = async (how, url) => {
    method = how;
    // One that leads away from this machine is not answered.
    const answer = await page.goto(url).catch(() => null);
    asked.push({ method: how, url, status: answer ? answer.status() : 0 });
    return answer;
  };
  const seen = new Set();
  const follow = async (url, deeper) => {
    if (seen.has(url)) return;
    seen.add(url);
    await look('HEAD', url);
    if (!(await look('GET', url)) || !deeper) return;
    await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    const links = await page.$$eval('a[href]', (all) => all.map((each) => each.href.split('#')[0]));
    for (const link of links) {
      if (new URL(link).origin === new URL(url).origin) await follow(link, false);
    }
  };
  for (const link of given.links) await follow(link, true);
  return asked;
});
