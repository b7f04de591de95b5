// Judges HTML files with the npm package caniemail; prints for each, by client, the features that
// it has nothing of (errors) or only a part of (warnings), by their titles.
const { createRequire } = require('module');
const { pathToFileURL } = require('url');
const load = createRequire(process.env.PEERS_NODE_MODULES + '/');

(async () => {
  const { files, clients } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const { caniemail, rawData } = await import(pathToFileURL(load.resolve('caniemail')).href);
  const slugs = Object.fromEntries(rawData.data.map((each) => [each.title, each.slug]));
  const found = files.map((file) => {
    const html = require('fs').readFileSync(file, 'utf8');
    const { issues } = caniemail({ clients, html });
    const named = (map) => Object.fromEntries([...map].map(
      ([client, list]) => [client, [...new Set(list.map((each) => slugs[each.title]))].sort()],
    ));
    return { errors: named(issues.errors), warnings: named(issues.warnings) };
  });
  // Each feature's letter for each client: the newest entry's, and the one whose version is the last
  // in the order of letters, which is the one that the package takes.
  const letters = {};
  for (const each of rawData.data) {
    for (const client of clients) {
      const [family, platform] = client.split('.');
      const versions = (each.stats[family] || {})[platform] || {};
      const names = Object.keys(versions);
      if (names.length) {
        const last = versions[[...names].sort().at(-1)][0];
        letters[`${each.slug} ${client}`] = [Object.values(versions).at(-1)[0], last];
      }
    }
  }
  process.stdout.write(JSON.stringify({ found, letters }));
})();
