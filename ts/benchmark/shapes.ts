/** Sizes of an MLP over a user, an item and a domain, and of its training. */
export interface Shape {
  readonly users: number;
  readonly items: number;
  readonly domains: number;
  readonly embedding: number;
  readonly hidden: readonly number[];
  readonly batch: number;
  readonly dropout: number;
  readonly learningRate: number;
  /** Steps of a pass over one domain. */
  readonly steps: number;
}

// Users and items of MAMDR's Amazon-6.
const amazon = { users: 445_789, items: 172_653, domains: 6, dropout: 0.5, learningRate: 1e-3 };

/** What is measured, by name. */
export const shapes = {
  /** The MLP of the MAMDR paper. */
  paper: { ...amazon, embedding: 128, hidden: [256, 128, 64], batch: 1024, steps: 40 },
  /** D-Train's setting on Amazon. */
  small: { ...amazon, embedding: 16, hidden: [16, 16], batch: 2048, steps: 100 },
  /** Kernels have next to nothing to do: what is left is the program around them. */
  overhead: {
    ...amazon,
    users: 1000,
    items: 1000,
    embedding: 1,
    hidden: [1],
    batch: 1,
    steps: 1000,
  },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as ShapeName[];
