// Makes the renditions of the bench with sharp, once for each line read, and answers with nanoseconds.
//
//   node serve.mjs PICTURE [FOLDER]     with a folder, the renditions are written to it and no more
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import sharp from 'sharp';

const [picture, folder] = process.argv.slice(2);
const bytes = readFileSync(picture);
sharp.cache(false);

const variants = [
  { name: 'large', size: { width: 1920, height: 1920, fit: 'inside' }, quality: 90 },
  { name: 'medium', size: { width: 800, height: 800, fit: 'inside' }, quality: 85 },
  { name: 'thumb', size: { width: 200, height: 200, fit: 'cover' }, quality: 80 },
];
const effort = Number(process.env.EFFORT ?? 4); // sharp's default
const render = (input, { size, quality }) =>
  input.clone().resize({ ...size, withoutEnlargement: true }).webp({ quality, effort }).toBuffer();

// Each variant from its own decode at reduced scale, all at once.
const clones = () => {
  const input = sharp(bytes).autoOrient();
  return Promise.all(variants.map((variant) => render(input, variant)));
};
// The pixels of the largest variant, decoded once, for all three.
const shared = async () => {
  const { data, info } = await sharp(bytes)
    .autoOrient()
    .resize({ ...variants[0].size, withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const input = sharp(data, { raw: info });
  return Promise.all(variants.map((variant) => render(input, variant)));
};
const w800 = async () => [
  await sharp(bytes).autoOrient().resize({ width: 800, withoutEnlargement: true }).webp({ quality: 85, effort }).toBuffer(),
];

const timed = async (work) => {
  const start = process.hrtime.bigint();
  await work();
  return process.hrtime.bigint() - start;
};

// Its own best way on this machine, unless it is known: `NAME-CONCURRENCY`.
const ways = [1, 2].flatMap((threads) =>
  Object.entries({ clones, shared }).map(([name, work]) => ({ name: `${name}-${threads}`, threads, work })));
let best = ways.find(({ name }) => name === process.env.WAY);
if (!best) {
  for (const way of ways) {
    sharp.concurrency(way.threads);
    const times = [];
    for (let round = 0; round < 4; round += 1) times.push(Number(await timed(way.work)));
    way.time = Math.min(...times);
  }
  [best] = ways.sort((one, other) => one.time - other.time);
}
sharp.concurrency(best.threads);
const jobs = { variants: best.work, w800 };

if (folder) {
  const made = await best.work();
  variants.forEach(({ name }, at) => writeFileSync(`${folder}/sharp-${name}.webp`, made[at]));
  writeFileSync(`${folder}/sharp-w800.webp`, (await w800())[0]);
  process.exit();
}
console.log(best.name);
for await (const line of createInterface({ input: process.stdin })) {
  const job = jobs[line];
  if (job) console.log(String(await timed(job)));
}
