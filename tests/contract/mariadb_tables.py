"""Tables of MariaDB with every type, and rows at the edges of each."""

EVERY_TYPE = """
CREATE TABLE `orders` (
  `id` bigint NOT NULL AUTO_INCREMENT COMMENT 'it''s the key\nof all',
  `ti` tinyint, `tu` tinyint unsigned, `si` smallint, `su` smallint unsigned zerofill,
  `mi` mediumint, `mu` mediumint unsigned, `ii` int, `iu` int unsigned, `bi` bigint, `big_unsigned` bigint unsigned,
  `flag` boolean NOT NULL DEFAULT 0, `bit1` bit(1), `bit10` bit(10), `bit64` bit(64),
  `f` float, `fd` float(10,2), `fu` float unsigned, `d` double, `dd` double(20,4),
  `small_decimal` decimal(10,2), `wide_decimal` decimal(65,30), `money` decimal(38,10) unsigned, `whole` decimal(20,0),
  `day` date, `moment` datetime, `moment3` datetime(3), `moment6` datetime(6),
  `stamp` timestamp NULL, `stamp6` timestamp(6) NULL, `t` time, `t6` time(6), `y` year,
  `text` varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci DEFAULT 'it''s ''quoted'' \\\\ and\nbroken',
  `three` varchar(50) CHARACTER SET utf8mb3, `plain` char(10) CHARACTER SET ascii,
  `western` varchar(40) CHARACTER SET latin1,
  `wide` varchar(20) CHARACTER SET ucs2, `wide16` varchar(20) CHARACTER SET utf16, `wide32` char(5) CHARACTER SET utf32,
  `little` varchar(20) CHARACTER SET utf16le, `shift` varchar(20) CHARACTER SET sjis,
  `euc` varchar(20) CHARACTER SET ujis,
  `chinese` varchar(20) CHARACTER SET gbk, `taiwan` varchar(20) CHARACTER SET big5,
  `cyrillic` varchar(20) CHARACTER SET koi8r,
  `dec` varchar(20) CHARACTER SET dec8, `swedish` varchar(20) CHARACTER SET swe7,
  `tiny` tinytext, `middle` mediumtext, `long` longtext, `compressed` text COMPRESSED,
  `fixed` binary(8), `varying` varbinary(50), `tiny_blob` tinyblob, `blob` blob, `long_blob` longblob,
  `json` json, `uuid` uuid, `i4` inet4, `i6` inet6,
  `color` enum('red','gr''een','bl,ue','é') CHARACTER SET latin1, `odd` enum('','a','b'), `emoji` enum('x','😀'),
  `sizes` set('s','m','l','é'), `odd_set` set('','a'),
  `place` geometry, `spot` point, `way` linestring, `area` polygon, `places` geometrycollection,
  `made` varchar(200) GENERATED ALWAYS AS (concat(`ti`, '-', `text`)) VIRTUAL,
  `kept` bigint GENERATED ALWAYS AS (`ii` * 2) STORED,
  `hidden` int INVISIBLE DEFAULT 7,
  `na``me with "quotes" & spaces` int CHECK (`na``me with "quotes" & spaces` >= 0),
  `ünïcode` int DEFAULT (1 + 2),
  PRIMARY KEY (`id`), KEY `by_kept` (`kept`), KEY `by_text` (`text`(10)), FULLTEXT KEY `words` (`middle`),
  CONSTRAINT `sane` CHECK (`ti` < 200)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='every type; it''s all here'
"""

_NAMES = """
  id ti tu si su mi mu ii iu bi big_unsigned flag bit1 bit10 bit64 f fd fu d dd small_decimal wide_decimal money whole
  day moment moment3 moment6 stamp stamp6 t t6 y text three plain western wide wide16 wide32 little shift euc
  chinese taiwan cyrillic dec swedish tiny middle long compressed fixed varying tiny_blob blob long_blob json uuid i4
  i6 color odd emoji sizes odd_set place spot way area places hidden
"""
NAMES = _NAMES.split()

_ORDINARY = """
  {n} % 100, {n} % 200, {n} % 30000, {n} % 60000, {n}, {n} * 3, -{n}, {n} * 7, {n} * 1000000007, {n} * 1000000009,
  {n} % 2, {n} % 2, {n} % 1024, {n} * 65537, {n} / 3e0, {n} / 7, {n} / 11e0, {n} / 13e0, {n} / 17e0,
  {n} / 100, {n} * 1.000000000000000000000000000001, {n} * 0.0000000007, {n},
  '2020-01-01' + INTERVAL {n} % 9000 DAY, '2020-01-01 00:00:00' + INTERVAL {n} SECOND,
  '2020-01-01 00:00:00.123' + INTERVAL {n} SECOND, '2020-01-01 00:00:00' + INTERVAL {n} MICROSECOND,
  '2021-01-01 00:00:00' + INTERVAL {n} MINUTE, '2021-01-01 00:00:00.5' + INTERVAL {n} MINUTE,
  SEC_TO_TIME({n} % 3000000), SEC_TO_TIME(-({n} % 100000) - 0.000001), 1901 + {n} % 200,
  CONCAT('Bestellung {n} über Äpfel 🍏'), 'grüße {n}', 'p{n}', 'façade {n} €', 'wide é {n}', 'utf16 😀 {n}', '😀é',
  'le 😀 {n}', 'アイウ {n}', '日本語 {n}', '中文 {n}', '繁體 {n}', 'Привет {n}', 'dec é {n}', 'swedish A',
  'tiny', REPEAT('middle {n} ', 20), CONCAT('long {n}', CHAR(9), CHAR(10), '\\\\', '"', ''''), REPEAT('press', 50),
  UNHEX(LPAD(HEX({n}), 16, '0')), UNHEX(SHA1({n})), '', UNHEX(MD5({n})), REPEAT(UNHEX('00FF27225C0A'), 9),
  '{{"n": {n}, "s": "é", "list": [1, 2.50, null]}}', MD5({n}), INET_NTOA({n}), CONCAT('2001:db8::', HEX({n} % 65536)),
  ELT(1 + {n} % 4, 'red', 'gr''een', 'bl,ue', 'é'), ELT(1 + {n} % 3, '', 'a', 'b'), ELT(1 + {n} % 2, 'x', '😀'),
  's,l,é', 'a', ST_GeomFromText('POINT({n} -1.5)', 4326), ST_GeomFromText('POINT(0 {n})'),
  ST_GeomFromText('LINESTRING(0 0,{n} 1)'), ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))'),
  ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))'), {n} % 5"""

_LOWEST = """
  -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, 0, 0, 0,
  -3.402823466e38, -99999999.99, 0, -1.7976931348623157e308, -1234567890123.4567,
  -99999999.99, -99999999999999999999999999999999999.999999999999999999999999999999, 0, -99999999999999999999,
  '0000-00-00', '0000-00-00 00:00:00', '2024-00-00 00:00:00', '2024-02-31 00:00:00.000001',
  '0000-00-00 00:00:00', '1970-01-01 00:00:01', '-838:59:59', '-838:59:59.999999', 0,
  '', '', '', X'8181', X'D800', '', '', '', X'8160', '', '', '', '', X'80FF', '{}',
  '', '', '', '', '', '', '', '', '', '[]', '00000000-0000-0000-0000-000000000000', '0.0.0.0', '::',
  'nothing of these', 'nothing', 'nothing', '', '', NULL, NULL, NULL, NULL, NULL, NULL"""

_HIGHEST = """
  127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615,
  1, 1, b'1111111111', 18446744073709551615,
  3.402823466e38, 99999999.99, 16777217, 1.7976931348623157e308, 5e-324,
  99999999.99, 99999999999999999999999999999999999.999999999999999999999999999999,
  9999999999999999999999999999.9999999999, 99999999999999999999,
  '9999-12-31', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999',
  '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', '838:59:59', '838:59:59.999999', 2155,
  X'00', X'EDA080', X'E9', X'00FF818D', X'FFFF', X'DBFFDFFF', X'0010FFFF', X'FFDBFFDF', X'8145', X'8FA2AF', X'A2A1',
  X'F9FE', X'FF', X'80FF', X'7D7B', X'00414243', '\\0\\0', REPEAT('🍏', 2000), '', X'0000000000000000', X'00', X'FF',
  X'FFFE', X'00', 'null', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '255.255.255.255',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'é', '',
  '😀', 's,m,l,é', ',a', ST_GeomFromText('POINT(-1e308 1e-308)'), NULL, NULL, NULL, NULL, -1"""

LOOSE = (
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00', "
    "check_constraint_checks = 0"
)
"""What lets all these be stored."""


def inserted(number: int, identity: int) -> str:
    """The values of a row in SQL: every tenth is null, two are at the edges."""
    match number % 10:
        case 7:
            return f"({identity}, {', '.join(['NULL'] * 10)}, 0, {', '.join(['NULL'] * (len(NAMES) - 12))})"
        case 8:
            return f"({identity}, {_LOWEST})"
        case 9:
            return f"({identity}, {_HIGHEST})"
    return f"({identity}, {_ORDINARY.format(n=number)})"


def insert(numbers: list[tuple[int, int]], verb: str = "INSERT") -> str:
    """A statement that inserts rows, of a number and an identity each."""
    names = ", ".join(f"`{name}`" for name in NAMES)
    return f"{verb} INTO orders ({names}) VALUES " + ", ".join(inserted(*one) for one in numbers)


OTHERS = {
    "customers": 3,
    "items": 4,
    "keyless": 6,
    "keyed": 30,
    "prefixed": 20,
    "unique_only": 20,
    "parts": 40,
    "counted": 5,
    "aria": 20,
    "versioned": 2,
    "empty": 0,
}
"""Tables beside it, and how many rows they have."""

_OTHER_TABLES = """
CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 10 NOCACHE;
SET SESSION foreign_key_checks = 0;
CREATE TABLE items (id int PRIMARY KEY, customer int, parent int, KEY (customer), CONSTRAINT `of a customer`
  FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE ON UPDATE SET NULL, CONSTRAINT `in``side`
  FOREIGN KEY (parent) REFERENCES items (id));
CREATE TABLE customers (id int PRIMARY KEY, name varchar(50) NOT NULL);
INSERT INTO customers VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO items VALUES (1, 1, 4), (2, 1, NULL), (3, 2, 1), (4, NULL, 4);
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, NULL), (NULL, NULL), (3, '');
CREATE TABLE keyed (e enum('z','y','x'), t varchar(20) CHARACTER SET latin1 COLLATE latin1_german1_ci, s
  set('b','a'), f float, j varchar(10) CHARACTER SET sjis, b varbinary(10), m datetime(6), bits bit(12), v int,
  PRIMARY KEY (e, t, s, f, j, b, m, bits));
INSERT INTO keyed SELECT 1 + seq % 3, ELT(1 + seq % 5, 'ä', 'Ab', 'b', 'c''d', 'É'), seq % 4, seq / 3e0, 'ア',
  CHAR(seq), '2024-01-01 00:00:00.000001' + INTERVAL seq SECOND, seq, seq FROM seq_1_to_30;
CREATE TABLE prefixed (t text, n int, PRIMARY KEY (t(5)));
INSERT INTO prefixed SELECT CONCAT(seq, '-----', 20 - seq), seq FROM seq_1_to_20;
CREATE TABLE unique_only (a int NOT NULL, b int NOT NULL, c int, UNIQUE KEY (b, a), UNIQUE KEY (c));
INSERT INTO unique_only SELECT seq % 7, seq, NULL FROM seq_1_to_20;
CREATE TABLE parts (id int, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (YEAR(day)) (PARTITION old
  VALUES LESS THAN (2021), PARTITION now VALUES LESS THAN MAXVALUE);
INSERT INTO parts SELECT seq, '2020-12-20' + INTERVAL seq DAY, seq FROM seq_1_to_40;
CREATE TABLE counted (id bigint NOT NULL DEFAULT NEXTVAL(numbers) PRIMARY KEY, n int);
INSERT INTO counted (n) VALUES (1), (2), (3), (4), (5);
CREATE TABLE aria (id int PRIMARY KEY AUTO_INCREMENT, n int) ENGINE=Aria TRANSACTIONAL=0;
INSERT INTO aria (n) SELECT seq FROM seq_1_to_20;
CREATE TABLE versioned (id int PRIMARY KEY, n int) WITH SYSTEM VERSIONING;
INSERT INTO versioned VALUES (1, 1), (2, 2), (3, 3);
UPDATE versioned SET n = 7 WHERE id = 1;
DELETE FROM versioned WHERE id = 3;
CREATE TABLE empty (a int PRIMARY KEY);
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2;
CREATE PROCEDURE note(IN n int) COMMENT 'für alle' BEGIN INSERT INTO keyless VALUES (n, 'é'); END;
CREATE OR REPLACE VIEW z_view AS SELECT id, name FROM customers;
CREATE OR REPLACE VIEW a_view AS SELECT twice(id) AS doubled FROM z_view WHERE id > 0;
CREATE VIEW counting AS SELECT NEXTVAL(numbers) AS number;
CREATE TRIGGER numbered BEFORE INSERT ON customers FOR EACH ROW SET NEW.name = CONCAT(NEW.name, '!');
CREATE TRIGGER lettered BEFORE INSERT ON customers FOR EACH ROW FOLLOWS numbered SET NEW.name = UPPER(NEW.name);
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' COMMENT 'é' DO DELETE FROM keyless;
"""
OTHER_TABLES = [statement.strip() for statement in _OTHER_TABLES.split(";\n") if statement.strip()]
