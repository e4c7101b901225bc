-- Work for the scoreboard's row "sqlite3": tables in memory, filled, indexed, joined and summed up.
PRAGMA journal_mode = OFF;
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, price REAL, name TEXT);
CREATE TABLE kind(id INTEGER PRIMARY KEY, title TEXT);

WITH RECURSIVE n(i, x) AS (
    SELECT 1, 12345 UNION ALL SELECT i + 1, (x * 1103515245 + 12345) % 2147483648 FROM n WHERE i < 20000)
INSERT INTO item SELECT i, x / 7 % 97, x % 10000 / 100.0, printf('item %05d', x % 100000) FROM n;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 96)
INSERT INTO kind SELECT i, 'kind ' || i FROM n;

CREATE INDEX item_kind ON item(kind, price);
CREATE INDEX item_name ON item(name);

SELECT count(*), sum(id), count(DISTINCT name) FROM item;
SELECT title, count(*), round(sum(price), 2), min(name), max(name)
    FROM item JOIN kind ON kind.id = item.kind GROUP BY kind.id ORDER BY sum(price) DESC LIMIT 5;
SELECT count(*) FROM item a JOIN item b ON a.name = b.name AND a.id < b.id;
SELECT sum(length(replace(upper(name), 'ITEM', 'thing'))) FROM item WHERE name LIKE '%7%';
UPDATE item SET price = price * 1.07, name = name || '*' WHERE kind % 3 = 0;
DELETE FROM item WHERE price > 90;
SELECT count(*), round(avg(price), 6), max(name) FROM item;
SELECT sum(r) FROM (SELECT id, rank() OVER (PARTITION BY kind ORDER BY price, id) AS r FROM item);
