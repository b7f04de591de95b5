// Reads messages for as long as it lives: each line in is one, as base64; each line out is JSON.
// postal-mime opens the message and htmlparser2 the HTML part; neither is ours, nor libxml2.
const { createInterface } = require('readline');
const { createRequire } = require('module');
const load = createRequire(process.env.PEERS_NODE_MODULES + '/');
const PostalMime = load('postal-mime').default || load('postal-mime');
const { parseDocument } = load('htmlparser2');
const { getElementsByTagName, textContent } = load('domutils');

const facts = async (line) => {
  const mail = await PostalMime.parse(Buffer.from(line, 'base64'));
  const root = parseDocument(mail.html, { decodeEntities: true });
  const all = (name) => getElementsByTagName(name, root, true);
  return {
    subject: mail.subject || '',
    text: mail.text,
    doctype: mail.html.slice(0, 15),
    article: all('div').map((each) => each.attribs['aria-label']).filter((each) => each),
    alt: all('img').map((each) => each.attribs.alt),
    titles: all('a').map((each) => each.attribs.title).filter((each) => each !== undefined),
    links: all('a').map((each) => each.attribs.href),
    headings: all('h2').map((each) => textContent(each)),
    paragraphs: all('p').map((each) => textContent(each)),
  };
};

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await facts(line)) + '\n');
  }
})();
