import type { Schema } from '../ts/index.js';

/** The schema of rows of a user and an item, with so many ids of each. */
export function userItemSchema(users: number, items: number, domains: readonly string[]): Schema {
  return {
    label: 'label',
    domain: 'domain',
    features: [
      { name: 'user', kind: 'categorical', size: users },
      { name: 'item', kind: 'categorical', size: items },
    ],
    domains,
  };
}
