// Judges HTML files with html-validate; prints for each its messages.
const { createRequire } = require('module');
const load = createRequire(process.env.PEERS_NODE_MODULES + '/');
const { HtmlValidate, StaticConfigLoader } = load('html-validate');

(async () => {
  const { files, rules } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const loader = new StaticConfigLoader({ root: true, extends: ['html-validate:standard'], rules });
  const judge = new HtmlValidate(loader);
  const found = [];
  for (const file of files) {
    const report = await judge.validateFile(file);
    found.push(report.results.flatMap((result) => result.messages.map(
      (each) => ({ rule: each.ruleId, message: each.message, line: each.line, column: each.column }),
    )));
  }
  process.stdout.write(JSON.stringify(found));
})();
