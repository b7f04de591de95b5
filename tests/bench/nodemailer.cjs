// nodemailer's pool on the same work: `node nodemailer.cjs PORT PEOPLE CONNECTIONS < LETTER`.
const { readFileSync } = require('node:fs');
const nodemailer = require('nodemailer');

const [port, people, connections] = process.argv.slice(2).map(Number);
const letter = readFileSync(0, 'latin1');
const pool = nodemailer.createTransport({
  pool: true, host: '127.0.0.1', port, secure: false, ignoreTLS: true,
  maxConnections: connections, maxMessages: Infinity,
});

async function send(number) {
  const address = `p-${number}@example${number % 7}.org`;
  const token = String(number).padStart(36, '0');
  const raw = letter.replaceAll('x'.repeat(36), token).replaceAll('x'.repeat(28), token.slice(-28))
    .replaceAll('p-1000@example1.org', address);
  await pool.sendMail({ envelope: { from: 'news@example.org', to: address }, raw });
}

async function main() {
  const begun = process.hrtime.bigint();
  const before = process.cpuUsage();
  let next = 0;
  // Twice as many as connections are handed in, so that none waits for us.
  const hand = async () => { while (next < people) await send(next++); };
  await Promise.all(Array.from({ length: 2 * connections }, hand));
  pool.close();
  const cpu = process.cpuUsage(before);
  console.log(JSON.stringify({
    seconds: Number(process.hrtime.bigint() - begun) / 1e9, cpu: (cpu.user + cpu.system) / 1e6,
  }));
}

main();
