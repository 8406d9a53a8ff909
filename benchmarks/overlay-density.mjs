// How dense domains' own values become: Domain Regularization draws k helpers per domain and epoch,
// and a domain's overlay then holds every row that the domain or a helper has trained. Simulated
// for 10 epochs with domains of power-law sizes; prints bytes per domain at embedding 16.
const [helpers, epochs, dim] = [5, 10, 16];

/** Uniform numbers from a linear congruential generator: the same everywhere. */
let state = 1;
function below(bound) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * bound);
}

function simulate(domains, totalRows, tableRows) {
  const weights = Array.from({ length: domains }, (_, d) => 1 / (d + 1));
  const sum = weights.reduce((a, b) => a + b);
  const ids = weights.map((weight) => {
    const rows = Math.max(20, Math.round((totalRows * weight) / sum));
    return Uint32Array.from({ length: rows }, () => below(tableRows));
  });
  // All domains where there are few, a sample where there are many.
  const step = Math.max(1, Math.floor(domains / 200));
  const own = [];
  for (let domain = 0; domain < domains; domain += step) {
    const held = new Set(ids[domain]);
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (let k = 0; k < helpers; k++) for (const id of ids[below(domains)]) held.add(id);
    }
    own.push(held.size);
  }
  own.sort((a, b) => a - b);
  const mean = own.reduce((a, b) => a + b) / own.length;
  return {
    domains,
    totalRows,
    tableRows,
    shareOfTable: mean / tableRows,
    meanBytesPerDomain: Math.round(mean * dim * 4),
    medianBytesPerDomain: own[own.length >> 1] * dim * 4,
  };
}

console.table([simulate(30, 1_000_000, 60_000), simulate(10_000, 1_000_000, 1_000_000)]);
