// A browser that a test drives by keyboard alone: one JSON object a line in, one a line out.
//
// `open` goes to an address; `keys` are steps: tab to an element, type, pick one of several, go on
// by Enter, or take a download. Each answer tells the page; with `judge` also what is wrong with it
// at every width: axe-core's violations (contrast in dark once more), sideways scrolling, and, where
// `walk` says so, what the Tab key does not reach or does not show. Without `script`, the page runs
// none; they are let in for the judge only, when the page has long been read. A page that a window
// with scripts has shown without a barrier, the same but for whose it is, is not judged by axe-core
// a second time: its width, its focus and the Tab key are.
const readline = require('readline');
const { FLAGS, chromium, load } = require('./chromium.cjs');
const axe = require('fs').readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');
const MOST_TABS = 150;
const windows = new Map();
const clean = new Set(); // pages without a barrier, as `nobodys` has them
let browser;

const open = async ({ window, script, widths }) => {
  const context = await browser.newContext({
    acceptDownloads: true, viewport: { width: widths[0], height: 900 },
  });
  context.setDefaultTimeout(20000);
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  const state = { page, script, widths, requests: [], said: [], saved: '' };
  state.scripts = (on) => devtools.send('Emulation.setScriptExecutionDisabled', { value: !on });
  page.on('request', (request) => state.requests.push(`${request.method()} ${request.url()}`));
  page.on('console', (message) => state.said.push(message.text()));
  page.on('pageerror', (error) => state.said.push(String(error)));
  await state.scripts(script);
  windows.set(window, state);
  return state;
};

const tabTo = async ({ page }, selector) => {
  for (let pressed = 0; pressed < MOST_TABS; pressed += 1) {
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`no Tab reaches ${selector} on ${page.url()}`);
};

// Arrows move among radio buttons, and among the options of a closed list.
const pick = async (state, selector) => {
  const { page } = state;
  const name = await page.$eval(selector, (each) => each.name ?? each.closest('select').name);
  await tabTo(state, `[name="${name}"]`);
  const isList = await page.evaluate(() => document.activeElement.tagName === 'SELECT');
  await page.keyboard.press(isList ? 'Home' : 'Space');
  for (let pressed = 0; pressed < 20; pressed += 1) {
    if (await page.$eval(selector, (each) => each.checked || each.selected)) return;
    await page.keyboard.press('ArrowDown');
  }
  throw new Error(`no arrow reaches ${selector}`);
};

const press = async (state, [verb, selector, value]) => {
  const { page } = state;
  if (verb === 'pick') return pick(state, selector);
  if (verb === 'tab') return tabTo(state, selector);
  if (verb === 'wait') return page.waitForFunction(selector);
  if (verb === 'press') return page.keyboard.press(selector);
  await tabTo(state, selector);
  if (verb === 'type') {
    await page.keyboard.press('Control+A');
    return page.keyboard.type(value);
  }
  if (verb === 'download') {
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    state.saved = require('fs').readFileSync(await download.path(), 'utf8');
    return undefined;
  }
  const [answer] = await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  return answer;
};

// What the Tab key should reach, in this order; radio buttons of one name count once.
const reachable = () => {
  const names = new Set();
  return [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter((each) => {
      if (each.disabled || each.type === 'hidden' || each.tabIndex < 0) return false;
      if (each.closest('details:not([open])') && each.tagName !== 'SUMMARY') return false;
      if (!each.getClientRects().length) return false;
      if (each.type !== 'radio') return true;
      const first = !names.has(each.name);
      names.add(each.name);
      return first;
    }).map((each) => (each.type === 'radio' ? `radio ${each.name}` : each.outerHTML.slice(0, 120)));
};

const focused = () => {
  const each = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(each);
  const { width, height } = each.getBoundingClientRect();
  return {
    name: each.type === 'radio' ? `radio ${each.name}` : each.outerHTML.slice(0, 120),
    shown: (outlineStyle === 'auto' || (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2))
      && width > 0 && height > 0,
  };
};

const walk = async (page) => {
  const wanted = await page.evaluate(reachable);
  await page.evaluate(() => { document.activeElement.blur(); window.getSelection().removeAllRanges(); });
  const met = new Map(); // a date has several stops, and Chromium's own ring on the last of them
  for (let pressed = 0; pressed < wanted.length + 8 && met.size < wanted.length; pressed += 1) {
    await page.keyboard.press('Tab');
    const { name, shown } = await page.evaluate(focused);
    if (!name.startsWith('<body') && !name.startsWith('<html')) met.set(name, met.get(name) || shown);
  }
  const unmet = wanted.filter((each) => !met.has(each)).map((each) => `no Tab reaches ${each}`);
  const unshown = [...met].filter(([, shown]) => !shown);
  return unmet.concat(unshown.map(([name]) => `the focus does not show on ${name}`));
};

// The page without whose it is: the reader's name, which is the window's, and what is in links.
const nobodys = async ({ page }, window, off) => {
  const html = await page.content();
  return JSON.stringify([off, html.replaceAll(new RegExp(window, 'gi'), '').replace(/[\w-]{20,}/g, '')]);
};

const judge = async (state, name, { window, off, pictures, walked }) => {
  const { page, script, widths } = state;
  const wrong = [];
  const text = await nobodys(state, window, off);
  const seen = clean.has(text);
  if (!script) await state.scripts(true);
  if (!seen) await page.evaluate(axe); // by the debugger, which no content policy of the page forbids
  const rules = Object.fromEntries(off.map((rule) => [rule, { enabled: false }]));
  rules['target-size'] = { enabled: true };
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      // Without scripts a page is the same one, so that it is measured once, and only its width twice.
      const known = seen || (colorScheme === 'dark' ? !script || width !== widths[0] : !script && width !== widths[0]);
      if (colorScheme === 'dark' && known && !pictures) continue;
      await page.setViewportSize({ width, height: 900 });
      const options = colorScheme === 'dark' ? { runOnly: ['color-contrast'] } : { rules };
      const found = known ? { violations: [] } : await page.evaluate(
        (chosen) => window.axe.run(document, chosen),
        { ...options, preload: false, elementRef: false, resultTypes: ['violations'] },
      );
      for (const { id, help, nodes } of found.violations) {
        for (const node of nodes) {
          wrong.push(`${name}, ${width} px, ${colorScheme}: ${id} (${help}): ${node.html.slice(0, 200)}`
            + ` ${node.any.concat(node.all, node.none).map((each) => each.message).join(' ')}`);
        }
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      if (wide > width) wrong.push(`${name}, ${width} px: scrolls sideways (${wide})`);
      if (pictures) await page.screenshot({ path: `${pictures}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
  if (script && !wrong.length) clean.add(text);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: widths[0], height: 900 });
  if (walked) wrong.push(...(await walk(page)).map((each) => `${name}: ${each}`));
  if (!script) await state.scripts(false);
  return wrong;
};

const answer = async (asked) => {
  const state = windows.get(asked.window) ?? await open(asked);
  const { page } = state;
  [state.requests, state.said, state.saved] = [[], [], ''];
  let response = null;
  if (asked.open) response = await page.goto(asked.open);
  for (const step of asked.keys ?? []) response = (await press(state, step)) ?? response;
  const told = {
    url: page.url(),
    status: response && response.status ? response.status() : 0,
    text: await page.innerText('body'),
    title: await page.title(),
    language: await page.getAttribute('html', 'lang'),
    direction: await page.getAttribute('html', 'dir'),
    saved: state.saved,
    requests: state.requests,
    console: state.said,
    wrong: [],
  };
  if (asked.name) told.wrong = await judge(state, asked.name, asked);
  return told;
};

(async () => {
  browser = await chromium.launch({
    executablePath: process.argv[2], headless: true, args: FLAGS, timeout: 60000,
  });
  try {
    for await (const line of readline.createInterface({ input: process.stdin })) {
      let told;
      try {
        told = await answer(JSON.parse(line));
      } catch (error) {
        told = { failed: `${error.message}\n${line}` };
      }
      process.stdout.write(`${JSON.stringify(told)}\n`);
    }
  } finally {
    await browser.close();
  }
})();
