// Click data of any size, the same everywhere: uniform ids, so that as many rows of the tables as can be are
// read, which is their worst case.
import { Dataset } from '../dist/esm/index.js';

/** Rows of each domain: Zipf with the given exponent, two at least, about `rows` in all. */
export function powerLawSizes(domains, rows, exponent = 1) {
  const weights = Array.from({ length: domains }, (_, d) => (d + 1) ** -exponent);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => Math.max(2, Math.round((rows * weight) / sum)));
}

/** Numbers from 0 to bound - 1 of a linear congruential generator. */
function generator(seed) {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * bound);
  };
}

function split(sizes, ids, seed) {
  const next = generator(seed);
  const domainOffsets = new Int32Array(sizes.length + 1);
  sizes.forEach((size, d) => {
    domainOffsets[d + 1] = domainOffsets[d] + size;
  });
  const rows = domainOffsets[sizes.length];
  const column = (bound) => {
    const values = new Int32Array(rows);
    for (let row = 0; row < rows; row++) values[row] = next(bound);
    return values;
  };
  return {
    rows,
    domainOffsets,
    ids: ids.map(column),
    labels: Float32Array.from(column(2)),
  };
}

/** `sizes`: rows of each domain in the training, validation and test part. */
export function clicks(sizes, users, items) {
  return Dataset.of(
    {
      label: 'label',
      domain: 'domain',
      features: [
        { name: 'user', kind: 'categorical', size: users },
        { name: 'item', kind: 'categorical', size: items },
      ],
      domains: sizes[0].map((_, d) => `d${d}`),
    },
    [[], []],
    sizes.map((own, part) => split(own, [users, items], part + 1)),
  );
}

/** Domains of power-law sizes. */
export function generated({ domains, rows, users, items, exponent }) {
  const sizes = powerLawSizes(domains, rows, exponent);
  const few = sizes.map(() => 1);
  return clicks([sizes, few, few], users, items);
}
