import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../ts/data/random.js';
import type { ReportData, ReportEntry } from '../../ts/report/data.js';
import { page } from '../../ts/report/page.js';
import { openPage } from '../cli/browser.js';
import { temporaryFolder } from '../folder.js';

const path = temporaryFolder();
const random = new Random(3);
const compared = 40;

/** A comparison as a page gets it, of made up figures. */
function comparison(domainCount: number, entryCount: number): ReportData {
  const domains = Array.from({ length: domainCount }, (_, d) => ({
    name: `A domain of a long name ${d}`,
    rows: { train: 50 + 10 * d, validation: 20, test: 20 },
  }));
  const spread = () => ({ mean: 0.5 + 0.4 * random.next(), deviation: 0.01 });
  const largest = domains.slice(-compared).reverse();
  const entry = (_: unknown, e: number): ReportEntry => ({
    label: `Shared-Bottom + Weighted Loss ${e}`,
    auc: { mean: spread(), samples: spread(), byDomain: domains.map(spread) },
    rank: 1 + e,
    significance: null,
    seconds: null,
    peakBytes: null,
    failures: [],
    settings: {},
    tuning: null,
    curves: [
      {
        seed: 0,
        best: 1,
        points: [0, 1, 2].map((epoch) => ({ stage: 'mamdr', epoch, loss: 0.6, auc: 0.7 })),
      },
    ],
    conflicts: {
      domains: largest.map(({ name }) => name),
      rows: largest.map(({ rows }) => Math.min(rows.train, 5000)),
      cosines: largest.map((_, a) => largest.map((_, b) => (a === b ? 1 : (a + b) / 80 - 0.5))),
    },
  });
  return {
    title: 'Comparison',
    subtitle: 'made up',
    library: '0',
    domains,
    baseline: 0,
    entries: Array.from({ length: entryCount }, entry),
    notes: [],
  };
}

describe('a page of 500 domains and 12 entries', () => {
  let text = '';
  beforeAll(async () => {
    text = await page(comparison(500, 12));
  });

  it('stays small beside its script', async () => {
    const least = await page(comparison(1, 1));
    expect(text.length - least.length).toBeLessThan(1e6);
  });

  it.each([1280, 640, 390])(
    'has its charts within a window of %d',
    async (width) => {
      // Also when the window becomes narrower than it was when they were drawn.
      const measure = `<script>
      document.body.style.width = '${width - 70}px';
      dispatchEvent(new Event('resize'));
      const cards = [...document.querySelectorAll('.card')];
      const overflows = cards.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
      document.body.dataset.overflow = Math.max(...overflows);
    </script>`;
      writeFileSync(path('page.html'), text.replace('</body>', `${measure}</body>`));
      const { dom, console } = await openPage(path('page.html'), width);
      expect(console).toEqual([]);
      expect(Number(/data-overflow="(-?\d+)"/.exec(dom)?.[1])).toBe(0);
      // Bars are of the largest domains, whose names can be told apart; the others are a slider away.
      expect(dom).toContain('>A domain o…ame 499</text>');
      expect(dom).not.toContain('>A domain o…name 17</text>');
      expect(dom).toContain('of 780 pairs of the 40 domains with the most rows are in conflict');
      expect(dom).toContain('From 5,000 training rows of a domain at most');
      expect(dom).toContain('where it has more (4 of 40 domains)');
    },
    60_000,
  );
});
