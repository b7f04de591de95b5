// Visits pages as a reader does and judges each with axe-core at every width, and the contrast in
// dark once more.
// Prints for each visit its status, violations, requests, and what the console said.
const { load, main } = require('./chromium.cjs');
const axe = require('fs').readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');

main(async (context, given) => {
  const page = await context.newPage();
  let requests, said;
  page.on('request', (request) => requests.push(`${request.method()} ${request.url()}`));
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  const visits = [];
  for (const { name, url, click, off } of given.visits) {
    [requests, said] = [[], []];
    const [answer] = click
      ? await Promise.all([page.waitForNavigation(), page.click(click)])
      : [await page.goto(url)];
    await page.waitForLoadState('load');
    const visit = {
      name, url: page.url(), status: answer ? answer.status() : 0, violations: [],
      text: await page.innerText('body'),
    };
    [visit.requests, visit.console] = [[...requests], [...said]];
    await page.evaluate(axe); // by the debugger, which no content policy of the page forbids
    const rules = Object.fromEntries(off.map((rule) => [rule, { enabled: false }]));
    rules['target-size'] = { enabled: true };
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      for (const width of given.widths) {
        await page.setViewportSize({ width, height: 900 });
        const options = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : { rules };
        const found = await page.evaluate(
          (chosen) => window.axe.run(document, chosen),
          { ...options, preload: false, resultTypes: ['violations'] },
        );
        for (const { id, help, nodes } of found.violations) {
          for (const node of nodes) {
            visit.violations.push(
              `${name}, ${width} px, ${colorScheme}: ${id} (${help}): ${node.html.slice(0, 200)}`
              + ` ${node.any.concat(node.all, node.none).map((each) => each.message).join(' ')}`,
            );
          }
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) visit.violations.push(`${name}, ${width} px: scrolls sideways (${wide})`);
      }
    }
    visits.push(visit);
  }
  return visits;
});
