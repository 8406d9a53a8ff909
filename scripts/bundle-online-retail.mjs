// Makes data/online-retail/purchases.parquet from UCI's Online Retail as Parquet:
//   node scripts/bundle-online-retail.mjs <online_retail.parquet>
// Distinct (customer, item) purchases of the 17 countries with 300 pairs and 5 customers at least.
import { DuckDBInstance } from '@duckdb/node-api';

const [source] = process.argv.slice(2);
if (!source)
  throw new Error('usage: node scripts/bundle-online-retail.mjs <online_retail.parquet>');
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run(`
  copy (
    with pairs as (
      select Country as country, CAST(CustomerID as integer) as customer, StockCode as item,
             min(InvoiceDate) as first
      from read_parquet('${source}')
      where CustomerID is not null and not starts_with(InvoiceNo, 'C') and Quantity > 0 and UnitPrice > 0
      group by all)
    select country, customer, item, first from pairs
    where country in (select country from pairs group by country
                      having count(*) >= 300 and count(distinct customer) >= 5)
    order by country, customer, item
  ) to 'data/online-retail/purchases.parquet' (format parquet, compression zstd, compression_level 19)`);
