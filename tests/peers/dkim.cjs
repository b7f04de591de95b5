// Judges mails with mailauth; the records are handed in. Prints for each mail its signatures.
const { createRequire } = require('module');
const load = createRequire(process.env.PEERS_NODE_MODULES + '/');
const { dkimVerify } = load('mailauth/lib/dkim/verify');
const { readFileSync } = require('fs');

(async () => {
  const { files, records } = JSON.parse(readFileSync(0, 'utf8'));
  const resolver = async (name) => {
    const found = records[name.replace(/\.$/, '')];
    if (!found) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    return [found.match(/.{1,255}/g)];
  };
  const verdicts = [];
  for (const file of files) {
    const { results } = await dkimVerify(readFileSync(file), { resolver });
    verdicts.push(results.filter((each) => each.signingDomain).map((each) => ({
      selector: each.selector, result: each.status.result, aligned: Boolean(each.status.aligned),
      comment: each.status.comment || '',
    })));
  }
  process.stdout.write(JSON.stringify(verdicts));
})();
