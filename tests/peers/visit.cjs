// Visits pages as a reader does and judges each with axe-core at every width, and the contrast in
// dark once more.
// A visit may first tab to, check, fill, select or open what is on the page before; with `pictures`
// each page is kept as a picture in that folder.
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
  for (const { name, url, click, off, first, judged } of given.visits) {
    [requests, said] = [[], []];
    for (const [verb, selector, value] of first) {
      if (verb === 'tab') {
        for (let pressed = 0; pressed < 99; pressed += 1) {
          await page.keyboard.press('Tab');
          if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) break;
        }
        await page.keyboard.press(value);
      } else if (verb === 'open') await page.click(selector);
      else if (verb === 'select') await page.selectOption(selector, value);
      else await page[verb](selector, value);
    }
    const clicked = () => Promise.all([page.waitForNavigation(), page.click(click)])
      .catch((error) => { throw new Error(`${name}, ${page.url()}: ${error.message}`); });
    const [answer] = url === undefined && !click ? [await page.reload()] : click
      ? await clicked()
      : [await page.goto(url)];
    await page.waitForLoadState('load');
    const visit = {
      name, url: page.url(), status: answer ? answer.status() : 0, violations: [],
      text: await page.innerText('body'), direction: await page.getAttribute('html', 'dir'),
    };
    [visit.requests, visit.console] = [[...requests], [...said]];
    await page.evaluate(axe); // by the debugger, which no content policy of the page forbids
    const rules = Object.fromEntries(off.map((rule) => [rule, { enabled: false }]));
    rules['target-size'] = { enabled: true };
    // axe-core waits for timers of the page, which has none without scripts.
    for (const colorScheme of given.script === false || judged === false ? [] : ['light', 'dark']) {
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
        if (given.pictures) {
          const path = `${given.pictures}/${name}-${width}-${colorScheme}.png`;
          await page.screenshot({ path, fullPage: true });
        }
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) visit.violations.push(`${name}, ${width} px: scrolls sideways (${wide})`);
      }
    }
    visits.push(visit);
  }
  return visits;
});
