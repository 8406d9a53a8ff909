import { z } from 'zod';

const ids = {
  name: z.string(),
  size: z.int().gte(1),
  hashed: z.literal(true).exactOptional(),
  table: z.string().exactOptional(),
};

/** What a Schema has to be, in files and calls. */
export const schemaShape = z.object({
  label: z.string(),
  domain: z.string(),
  features: z.array(
    z.discriminatedUnion('kind', [
      z.object({ ...ids, kind: z.literal('categorical') }),
      z.object({
        ...ids,
        kind: z.literal('multi-valued'),
        pooling: z.enum(['mean', 'sum']),
        width: z.int().gte(1),
        separator: z.string().exactOptional(),
      }),
      z.object({
        name: z.string(),
        kind: z.literal('numeric'),
        mean: z.number(),
        deviation: z.number().gt(0),
      }),
    ]),
  ),
  domains: z.array(z.string()),
});
