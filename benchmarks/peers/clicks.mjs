// The data that our own sides of the benchmarks train on.
import { generator } from './mlp.mjs';

/** Users, items and domains by their numbers. */
export function schemaOf({ users, items, domains }) {
  return {
    label: 'label',
    domain: 'domain',
    features: [
      { name: 'user', kind: 'categorical', size: users },
      { name: 'item', kind: 'categorical', size: items },
    ],
    domains: Array.from({ length: domains }, (_, domain) => `${domain}`),
  };
}

/** Rows for `steps` whole batches of each domain, ids uniform. */
export function drawSplit({ users, items, domains, batch }, steps) {
  const random = generator(1);
  const perDomain = steps * batch;
  const rows = domains * perDomain;
  const draw = (size) => Int32Array.from({ length: rows }, () => Math.floor(random() * size));
  return {
    rows,
    ids: [draw(users), draw(items)],
    labels: Float32Array.from({ length: rows }, () => (random() < 0.5 ? 0 : 1)),
    domainOffsets: Int32Array.from({ length: domains + 1 }, (_, domain) => domain * perDomain),
  };
}
