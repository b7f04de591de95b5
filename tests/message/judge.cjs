// Reads messages (files named on the command line) with two parsers of JavaScript; prints JSON.
const fs = require('fs');
const { createHash } = require('crypto');
const { createRequire } = require('module');
const load = createRequire(process.env.PEERS_NODE_MODULES + '/');

const digest = (data) => createHash('sha256').update(Buffer.from(data)).digest('hex');

(async () => {
  const found = { 'postal-mime': [], mailparser: [] };
  const PostalMime = load('postal-mime').default || load('postal-mime');
  const { simpleParser } = load('mailparser');
  for (const file of process.argv.slice(2)) {
    const raw = fs.readFileSync(file);
    const one = await PostalMime.parse(raw);
    found['postal-mime'].push({
      subject: one.subject || '', name: one.from.name, address: one.from.address,
      to: one.to.map((each) => each.address), text: one.text, html: one.html,
      parts: one.attachments.length + 2,
      pictures: one.attachments.map((each) => [each.contentId, digest(each.content)]),
    });
    const two = await simpleParser(raw, { skipTextToHtml: true, skipTextLinks: true });
    found.mailparser.push({
      subject: two.subject || '', name: two.from.value[0].name, address: two.from.value[0].address,
      to: two.to.value.map((each) => each.address), text: two.text, html: two.html,
      parts: two.attachments.length + 2,
      pictures: two.attachments.map((each) => [each.contentId, digest(each.content)]),
    });
  }
  console.log(JSON.stringify(found));
})();
