// Domains that agree or conflict by a chosen strength: users and items are shared, what a domain
// makes of them is not.
import { Dataset } from '../../../dist/esm/index.js';

/** Uniform and normal numbers by mulberry32, the same everywhere. */
export function generator(seed) {
  let state = (seed * 0x9e3779b9) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
const normalized = (vector) => {
  const norm = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / norm);
};

/** Rows per domain by a power law, `rows` in all. */
function sizes({ domains, rows, power, smallest }) {
  const weights = Array.from({ length: domains }, (_, d) => (d + 1) ** -power);
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => Math.max(smallest, Math.round((rows * weight) / sum)));
}

/**
 * One draw of the problem. A row of user u and item v in domain d is positive with probability
 * sigmoid(bias + sharpness (a_d · v + w_d · (u ∘ v)) / √2): what all users of the domain like, and
 * what this user likes; u and v are standard normal. a_d and w_d are unit vectors along
 * √(1 - c²) shared + c own_d, so that two domains' have the cosine 1 - c² on average: at strength
 * c = 0 all domains are one, at c = 1 they have nothing in common but who and what there is. Users,
 * items, rows and all noise of a seed are the same for every strength. Returns the dataset with its
 * columns, and the probability of each row, which no model's scores can beat on average.
 */
export function conflictProblem(settings, strength, seed) {
  const { users, items, factors, sharpness, bias, shares } = settings;
  const { uniform, normal } = generator(seed);
  const vector = () => Array.from({ length: factors }, normal);
  const userFactors = Array.from({ length: users }, vector);
  const itemFactors = Array.from({ length: items }, vector);
  const shared = [normalized(vector()), normalized(vector())];
  const columns = { user: [], item: [], domain: [], label: [], part: [] };
  const probabilities = [];
  for (const [d, rows] of sizes(settings).entries()) {
    const [appeal, taste] = shared.map((common) => {
      const own = normalized(vector());
      return normalized(
        common.map((value, k) => Math.sqrt(1 - strength ** 2) * value + strength * own[k]),
      );
    });
    for (let row = 0; row < rows; row++) {
      const user = Math.floor(uniform() * users);
      const item = Math.floor(uniform() * items);
      const [u, v] = [userFactors[user], itemFactors[item]];
      const both = u.map((value, k) => value * v[k]);
      const affinity = (dot(appeal, v) + dot(taste, both)) / Math.SQRT2;
      const probability = 1 / (1 + Math.exp(-bias - sharpness * affinity));
      const share = uniform();
      columns.user.push(`u${user}`);
      columns.item.push(`i${item}`);
      columns.domain.push(`d${d}`);
      columns.label.push(uniform() < probability ? 1 : 0);
      columns.part.push(
        share < shares[0] ? 'train' : share < shares[0] + shares[1] ? 'validation' : 'test',
      );
      probabilities.push(probability);
    }
  }
  return {
    data: Dataset.from(columns, {
      domain: 'domain',
      label: 'label',
      features: ['user', 'item'],
      split: { column: 'part' },
    }),
    columns,
    probabilities,
  };
}
