// Training rows in the shape of MAMDR's Amazon-6 (tables I and II of the paper): its users, items and domains,
// their shares of the rows and their click-through ratios. Rows can be fewer, of the same distribution.
import { generator } from './peers/mlp.mjs';

export const users = 445_789;
export const items = 172_653;
export const trainingRows = 9_968_333;

/** Samples of each domain, and clicks per row without one. */
const domains = {
  'Musical Instruments': [1_204_340, 0.22],
  'Office Products': [3_921_259, 0.23],
  'Patio Lawn and Garden': [3_025_218, 0.32],
  'Prime Pantry': [694_758, 0.23],
  'Toys and Games': [5_382_501, 0.47],
  'Video Games': [2_698_800, 0.21],
};

/**
 * A split of about `rows` rows, sorted by domain. Each domain has items of its own, as many as its share, and half
 * of all users, the same ones in every run. Clicked items are drawn by Zipf's law, the others uniformly, users
 * uniformly: each of them has reviewed a few items.
 */
export function amazon({ rows, seed }) {
  const random = generator(seed);
  const samples = Object.values(domains);
  const total = samples.reduce((sum, [count]) => sum + count, 0);
  const counts = samples.map(([count]) => Math.round((rows * count) / total));
  const domainOffsets = new Int32Array(counts.length + 1);
  counts.forEach((count, d) => {
    domainOffsets[d + 1] = domainOffsets[d] + count;
  });
  const all = domainOffsets.at(-1);
  const user = new Int32Array(all);
  const item = new Int32Array(all);
  const labels = new Float32Array(all);
  let firstItem = 0;
  samples.forEach(([count, ratio], d) => {
    const own = Math.floor((items * count) / total);
    const firstUser = Math.floor(random() * users);
    for (let row = domainOffsets[d]; row < domainOffsets[d + 1]; row++) {
      labels[row] = random() < ratio / (1 + ratio) ? 1 : 0;
      user[row] = (firstUser + Math.floor((random() * users) / 2)) % users;
      const rank = labels[row] ? Math.floor(own ** random()) - 1 : Math.floor(random() * own);
      item[row] = firstItem + rank;
    }
    firstItem += own;
  });
  return {
    names: Object.keys(domains),
    split: { rows: all, domainOffsets, ids: [user, item], labels },
  };
}
