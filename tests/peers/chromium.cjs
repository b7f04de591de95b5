// Opens Chromium for the tests: a profile of its own, and no way to anything but this machine.
const { createRequire } = require('module');
const load = createRequire(process.env.PEERS_NODE_MODULES + '/');
const { chromium } = load('playwright-core');

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

exports.FLAGS = FLAGS;
exports.chromium = chromium;
exports.load = load;

// Runs `work(context)` with what stands on standard input as `given`, and prints what it returns.
exports.main = async (work) => {
  const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const context = await chromium.launchPersistentContext(given.profile, {
    executablePath: given.chromium, headless: true, args: FLAGS, timeout: 60000,
    javaScriptEnabled: given.script ?? true,
  });
  try {
    context.setDefaultTimeout(20000);
    process.stdout.write(JSON.stringify(await work(context, given)));
  } finally {
    await context.close();
  }
};
