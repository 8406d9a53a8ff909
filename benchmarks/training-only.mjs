import { Dataset } from '../dist/esm/index.js';

/** A dataset of training rows alone, of users and items: `split` as Dataset.of() takes it, `sizes` of the tables. */
export function trainingOnly(split, { user, item }, domains) {
  const none = {
    rows: 0,
    ids: [new Int32Array(), new Int32Array()],
    labels: new Float32Array(),
    domainOffsets: new Int32Array(domains.length + 1),
  };
  const features = Object.entries({ user, item }).map(([name, size]) => ({
    name,
    kind: 'categorical',
    size,
  }));
  const schema = { label: 'label', domain: 'domain', features, domains };
  return Dataset.of(schema, [[], []], [split, none, none]);
}
