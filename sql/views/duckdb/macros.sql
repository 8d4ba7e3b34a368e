-- The two functions that DuckDB spells differently from Athena. With these and the two views, every file under sql/
-- runs as it stands.
-- noqa: disable=CP05,LT02
CREATE OR REPLACE MACRO json_format(document) AS CAST(document AS VARCHAR);
CREATE OR REPLACE MACRO regexp_replace(text, pattern, replacement) AS
    system.main.regexp_replace(text, pattern, replacement, 'g');
