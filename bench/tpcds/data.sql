-- The 24 tables of TPC-DS at a very small scale, from the specification's keys, references and domains.
-- Deterministic: every value is a hash of its table, its column and its row. Foreign keys that the
-- specification lets be NULL are NULL in a few per cent of the rows. Domains are narrower than the
-- specification's, so that the queries' parameters meet rows.

CREATE OR REPLACE MACRO rnd(seed, i, n) AS (hash(concat(seed, ':', i)) % n)::INTEGER;
CREATE OR REPLACE MACRO pick(seed, i, list) AS list[1 + (hash(concat(seed, ':', i)) % len(list))::INTEGER];
CREATE OR REPLACE MACRO maybe(seed, i, share, value) AS CASE WHEN hash(concat(seed, ':null:', i)) % 100 >= share THEN value END;
CREATE OR REPLACE MACRO money(seed, i, n) AS (hash(concat(seed, ':', i)) % (n * 100)::UBIGINT)::INTEGER / 100;
CREATE OR REPLACE MACRO cents(x) AS x::DECIMAL(7, 2);
CREATE OR REPLACE MACRO ident(i) AS 'AAAAAAAA' || lpad(i::VARCHAR, 8, '0');

CREATE TABLE date_dim AS
SELECT
    (2450815 + n)::INTEGER AS d_date_sk, ident(n) AS d_date_id, d AS d_date,
    ((year(d) - 1900) * 12 + month(d) - 1)::INTEGER AS d_month_seq,
    (5113 + (n + 4) // 7)::INTEGER AS d_week_seq,
    ((year(d) - 1900) * 4 + quarter(d) - 1)::INTEGER AS d_quarter_seq,
    year(d)::INTEGER AS d_year, dayofweek(d)::INTEGER AS d_dow, month(d)::INTEGER AS d_moy,
    day(d)::INTEGER AS d_dom, quarter(d)::INTEGER AS d_qoy, year(d)::INTEGER AS d_fy_year,
    ((year(d) - 1900) * 4 + quarter(d) - 1)::INTEGER AS d_fy_quarter_seq,
    (5113 + (n + 4) // 7)::INTEGER AS d_fy_week_seq,
    dayname(d) AS d_day_name, year(d) || 'Q' || quarter(d) AS d_quarter_name,
    CASE WHEN month(d) = 12 AND day(d) = 25 THEN 'Y' ELSE 'N' END AS d_holiday,
    CASE WHEN dayofweek(d) IN (0, 6) THEN 'Y' ELSE 'N' END AS d_weekend,
    CASE WHEN month(d) = 12 AND day(d) = 26 THEN 'Y' ELSE 'N' END AS d_following_holiday,
    (2450815 + n - day(d) + 1)::INTEGER AS d_first_dom,
    (2450815 + n - day(d) + day(last_day(d)))::INTEGER AS d_last_dom,
    (2450815 + n - 365)::INTEGER AS d_same_day_ly, (2450815 + n - 92)::INTEGER AS d_same_day_lq,
    'N' AS d_current_day, 'N' AS d_current_week, 'N' AS d_current_month, 'N' AS d_current_quarter,
    'N' AS d_current_year
FROM (SELECT i AS n, (DATE '1998-01-01' + i::INTEGER) AS d FROM range(2191) AS t(i));

CREATE TABLE time_dim AS
SELECT
    (i * 60)::INTEGER AS t_time_sk, ident(i) AS t_time_id, (i * 60)::INTEGER AS t_time,
    (i // 60)::INTEGER AS t_hour, (i % 60)::INTEGER AS t_minute, 0 AS t_second,
    CASE WHEN i < 720 THEN 'AM' ELSE 'PM' END AS t_am_pm,
    CASE WHEN i < 480 THEN 'third' WHEN i < 960 THEN 'first' ELSE 'second' END AS t_shift,
    CASE WHEN i < 360 THEN 'night' WHEN i < 720 THEN 'morning' WHEN i < 1080 THEN 'afternoon' ELSE 'evening' END
        AS t_sub_shift,
    CASE WHEN i BETWEEN 360 AND 540 THEN 'breakfast' WHEN i BETWEEN 690 AND 810 THEN 'lunch'
         WHEN i BETWEEN 1020 AND 1200 THEN 'dinner' END AS t_meal_time
FROM range(1440) AS t(i);

CREATE TABLE income_band AS
SELECT i::INTEGER AS ib_income_band_sk, ((i - 1) * 10000 + CASE WHEN i > 1 THEN 1 ELSE 0 END)::INTEGER AS ib_lower_bound,
    (i * 10000)::INTEGER AS ib_upper_bound
FROM range(1, 21) AS t(i);

CREATE TABLE household_demographics AS
SELECT (i + 1)::INTEGER AS hd_demo_sk, (i % 20 + 1)::INTEGER AS hd_income_band_sk,
    pick('hd_buy', i, ['>10000', '5001-10000', '1001-5000', '501-1000', '0-500', 'Unknown']) AS hd_buy_potential,
    rnd('hd_dep', i, 10) AS hd_dep_count, rnd('hd_vehicle', i, 6) - 1 AS hd_vehicle_count
FROM range(240) AS t(i);

CREATE TABLE customer_demographics AS
SELECT (i + 1)::INTEGER AS cd_demo_sk, ['M', 'F'][1 + i % 2] AS cd_gender,
    ['M', 'S', 'D', 'W', 'U'][1 + (i // 2) % 5] AS cd_marital_status,
    ['Primary', 'Secondary', 'College', '2 yr Degree', '4 yr Degree', 'Advanced Degree', 'Unknown'][1 + (i // 10) % 7]
        AS cd_education_status,
    ((i % 3 + 1) * 500)::INTEGER AS cd_purchase_estimate,
    ['Low Risk', 'Good', 'High Risk', 'Unknown'][1 + (i // 70) % 4] AS cd_credit_rating,
    (i % 4)::INTEGER AS cd_dep_count, (i % 3)::INTEGER AS cd_dep_employed_count, (i % 2)::INTEGER AS cd_dep_college_count
FROM range(280) AS t(i);

CREATE TABLE customer_address AS
SELECT (i + 1)::INTEGER AS ca_address_sk, ident(i) AS ca_address_id, (100 + rnd('ca_no', i, 900))::VARCHAR AS ca_street_number,
    pick('ca_street', i, ['Main', 'Oak', 'Cedar', 'Elm', 'Lake', 'Hill']) AS ca_street_name,
    pick('ca_type', i, ['Street', 'Avenue', 'Blvd', 'Lane']) AS ca_street_type, 'Suite ' || rnd('ca_suite', i, 50) AS ca_suite_number,
    pick('ca_city', i, ['Midway', 'Fairview', 'Oakland', 'Edgewood', 'Pleasant Hill', 'Centerville']) AS ca_city,
    pick('ca_county', i, ['Williamson County', 'Ziebach County', 'Walker County', 'Daviess County', 'Barrow County', 'Rush County'])
        AS ca_county,
    maybe('ca_state', i, 3, pick('ca_state', i, ['TN', 'GA', 'TX', 'OH', 'SD', 'CA', 'KY', 'VA', 'IN', 'MS', 'ND', 'OK'])) AS ca_state,
    maybe('ca_zip', i, 2, pick('ca_zip', i, ['85669', '86197', '88274', '83405', '24128', '24236', '35709', '60169', '31904', '38605',
        '30903', '40031', '56904', '78668', '64792', '19134'])) AS ca_zip,
    'United States' AS ca_country, pick('ca_gmt', i, [-5, -6, -7, -8])::DECIMAL(5, 2) AS ca_gmt_offset,
    pick('ca_loc', i, ['apartment', 'condo', 'single family']) AS ca_location_type
FROM range(400) AS t(i);

CREATE TABLE customer AS
SELECT (i + 1)::INTEGER AS c_customer_sk, ident(i) AS c_customer_id, maybe('c_cd', i, 3, 1 + rnd('c_cd', i, 280)) AS c_current_cdemo_sk,
    maybe('c_hd', i, 3, 1 + rnd('c_hd', i, 240)) AS c_current_hdemo_sk, 1 + rnd('c_addr', i, 400) AS c_current_addr_sk,
    maybe('c_ship', i, 4, 2450815 + rnd('c_ship', i, 1000)) AS c_first_shipto_date_sk,
    maybe('c_sales', i, 4, 2450815 + rnd('c_sales', i, 1000)) AS c_first_sales_date_sk,
    pick('c_sal', i, ['Mr.', 'Mrs.', 'Ms.', 'Dr.', 'Sir']) AS c_salutation,
    maybe('c_first', i, 3, pick('c_first', i, ['James', 'Mary', 'John', 'Anna', 'Robert', 'Linda', 'Karl', 'Ines'])) AS c_first_name,
    maybe('c_last', i, 3, pick('c_last', i, ['Smith', 'Jones', 'Brown', 'Miller', 'Davis', 'Lopez', 'Khan', 'Moe'])) AS c_last_name,
    pick('c_pref', i, ['Y', 'N']) AS c_preferred_cust_flag, 1 + rnd('c_bday', i, 28) AS c_birth_day, 1 + rnd('c_bmon', i, 12) AS c_birth_month,
    1930 + rnd('c_byear', i, 60) AS c_birth_year,
    pick('c_country', i, ['UNITED STATES', 'CANADA', 'CHILE', 'JAPAN', 'NORWAY', 'IRELAND']) AS c_birth_country,
    NULL::VARCHAR AS c_login, 'c' || i || '@example.com' AS c_email_address, maybe('c_rev', i, 5, 2452000 + rnd('c_rev', i, 600)) AS c_last_review_date_sk
FROM range(500) AS t(i);

CREATE TABLE item AS
SELECT (i + 1)::INTEGER AS i_item_sk, ident(i // 2) AS i_item_id, DATE '1997-10-27' + (i % 2 * 730)::INTEGER AS i_rec_start_date,
    CASE WHEN i % 2 = 0 THEN DATE '1999-10-26' END AS i_rec_end_date,
    'Item description number ' || i || ' with some words that nobody reads' AS i_item_desc,
    maybe('i_price', i, 2, cents(0.5 + money('i_price', i, 99))) AS i_current_price, cents(0.3 + money('i_cost', i, 60)) AS i_wholesale_cost,
    1000000 * (1 + i % 10)::INTEGER + 1 + rnd('i_brand', i, 3) AS i_brand_id,
    ['amalg', 'edu pack', 'exporti', 'import', 'scholar', 'univ', 'corp', 'brand', 'maxi', 'name'][1 + i % 10]::VARCHAR
        || pick('i_brand', i, ['importo', 'exporti', 'amalg']) || ' #' || (1 + rnd('i_brand', i, 3)) AS i_brand,
    1 + rnd('i_class', i, 4) AS i_class_id,
    ['accessories', 'personal', 'reference', 'self-help', 'portable', 'stereo', 'football', 'classical', 'fragrances', 'pants'][1 + (i + rnd('i_class', i, 4)) % 10]
        AS i_class,
    (1 + i % 10)::INTEGER AS i_category_id,
    ['Women', 'Men', 'Children', 'Shoes', 'Music', 'Jewelry', 'Home', 'Sports', 'Books', 'Electronics'][1 + i % 10] AS i_category,
    maybe('i_manufact', i, 2, 1 + rnd('i_manufact', i, 20)) AS i_manufact_id, pick('i_manufact', i, ['ought', 'able', 'pri', 'ese', 'anti']) AS i_manufact,
    pick('i_size', i, ['small', 'medium', 'large', 'extra large', 'petite', 'N/A', 'economy']) AS i_size, i::VARCHAR || 'formulation' AS i_formulation,
    pick('i_color', i, ['slate', 'blanched', 'burnished', 'pale', 'chiffon', 'lace', 'powder', 'khaki', 'peach', 'saddle', 'plum', 'orchid'])
        AS i_color,
    pick('i_units', i, ['Ounce', 'Oz', 'Bunch', 'Ton', 'Dozen', 'Each', 'Pound', 'Box']) AS i_units, 'Unknown' AS i_container,
    1 + rnd('i_manager', i, 10) AS i_manager_id, 'product' || i AS i_product_name
FROM range(200) AS t(i);

CREATE TABLE store AS
SELECT (i + 1)::INTEGER AS s_store_sk, ident(i // 2) AS s_store_id, DATE '1997-03-13' AS s_rec_start_date, NULL::DATE AS s_rec_end_date,
    CASE WHEN i = 3 THEN 2451000 END AS s_closed_date_sk, ['ought', 'able', 'ese', 'anti', 'bar', 'eing'][i + 1] AS s_store_name,
    200 + (i * 17)::INTEGER AS s_number_employees, 5000000 + (i * 900000)::INTEGER AS s_floor_space, '8AM-8PM' AS s_hours, 'Manager ' || i AS s_manager,
    (1 + i)::INTEGER AS s_market_id, 'Unknown' AS s_geography_class, 'desc' AS s_market_desc, 'Boss ' || i AS s_market_manager, 1 AS s_division_id,
    'Unknown' AS s_division_name, 1 AS s_company_id, 'Unknown' AS s_company_name, (10 + i)::VARCHAR AS s_street_number, 'Main' AS s_street_name,
    'Street' AS s_street_type, 'Suite 0' AS s_suite_number, ['Midway', 'Fairview'][1 + i % 2] AS s_city, ['Williamson County', 'Ziebach County'][1 + i % 2] AS s_county,
    ['TN', 'TN', 'SD', 'GA', 'TN', 'OH'][i + 1] AS s_state, ['35709', '31904', '85669', '38605', '86197', '30903'][i + 1] AS s_zip, 'United States' AS s_country,
    -5.00::DECIMAL(5, 2) AS s_gmt_offset, (0.01 * i)::DECIMAL(5, 2) AS s_tax_percentage
FROM range(6) AS t(i);

CREATE TABLE warehouse AS
SELECT (i + 1)::INTEGER AS w_warehouse_sk, ident(i) AS w_warehouse_id, ['Conventional childr', 'Important issues', 'Doors canno', 'Bad cards must make'][i + 1]
        AS w_warehouse_name,
    (100000 + i * 250000)::INTEGER AS w_warehouse_sq_ft, '1' AS w_street_number, 'Oak' AS w_street_name, 'Street' AS w_street_type, 'Suite 1' AS w_suite_number,
    ['Midway', 'Fairview'][1 + i % 2] AS w_city, 'Williamson County' AS w_county, ['TN', 'GA', 'TN', 'SD'][i + 1] AS w_state, '35709' AS w_zip,
    'United States' AS w_country, -5.00::DECIMAL(5, 2) AS w_gmt_offset
FROM range(4) AS t(i);

CREATE TABLE ship_mode AS
SELECT (i + 1)::INTEGER AS sm_ship_mode_sk, ident(i) AS sm_ship_mode_id, ['EXPRESS', 'NEXT DAY', 'OVERNIGHT', 'REGULAR', 'TWO DAY'][1 + i % 5] AS sm_type,
    ['AIR', 'SURFACE', 'SEA'][1 + i % 3] AS sm_code, ['DHL', 'BARIAN', 'UPS', 'FEDEX', 'USPS'][1 + (i // 2) % 5] AS sm_carrier, 'contract' || i AS sm_contract
FROM range(10) AS t(i);

CREATE TABLE reason AS
SELECT (i + 1)::INTEGER AS r_reason_sk, ident(i) AS r_reason_id, 'reason ' || (i + 1) AS r_reason_desc FROM range(8) AS t(i);

CREATE TABLE promotion AS
SELECT (i + 1)::INTEGER AS p_promo_sk, ident(i) AS p_promo_id, 2450815 + rnd('p_start', i, 1500) AS p_start_date_sk, 2452500 AS p_end_date_sk,
    maybe('p_item', i, 5, 1 + rnd('p_item', i, 200)) AS p_item_sk, 1000.00::DECIMAL(15, 2) AS p_cost, 1 AS p_response_target, 'promo' || i AS p_promo_name,
    pick('p_dmail', i, ['Y', 'N']) AS p_channel_dmail, pick('p_email', i, ['Y', 'N', 'N']) AS p_channel_email, 'N' AS p_channel_catalog,
    pick('p_tv', i, ['Y', 'N', 'N']) AS p_channel_tv, 'N' AS p_channel_radio, 'N' AS p_channel_press, pick('p_event', i, ['Y', 'N', 'N']) AS p_channel_event,
    'N' AS p_channel_demo, 'details' AS p_channel_details, 'Unknown' AS p_purpose, 'N' AS p_discount_active
FROM range(12) AS t(i);

CREATE TABLE call_center AS
SELECT (i + 1)::INTEGER AS cc_call_center_sk, ident(i) AS cc_call_center_id, DATE '1998-01-01' AS cc_rec_start_date, NULL::DATE AS cc_rec_end_date,
    NULL::INTEGER AS cc_closed_date_sk, 2450900 AS cc_open_date_sk, ['NY Metro', 'Mid Atlantic', 'North Midwest'][i + 1] AS cc_name, 'large' AS cc_class,
    100 AS cc_employees, 1000 AS cc_sq_ft, '8AM-4PM' AS cc_hours, 'Manager ' || i AS cc_manager, (i + 1)::INTEGER AS cc_mkt_id, 'class' AS cc_mkt_class,
    'desc' AS cc_mkt_desc, 'Boss' AS cc_market_manager, 1 AS cc_division, 'able' AS cc_division_name, 1 AS cc_company, 'able' AS cc_company_name,
    '1' AS cc_street_number, 'Oak' AS cc_street_name, 'Lane' AS cc_street_type, 'Suite 2' AS cc_suite_number, 'Midway' AS cc_city,
    ['Williamson County', 'Ziebach County', 'Williamson County'][i + 1] AS cc_county, 'TN' AS cc_state, '35709' AS cc_zip, 'United States' AS cc_country,
    -5.00::DECIMAL(5, 2) AS cc_gmt_offset, 0.05::DECIMAL(5, 2) AS cc_tax_percentage
FROM range(3) AS t(i);

CREATE TABLE catalog_page AS
SELECT (i + 1)::INTEGER AS cp_catalog_page_sk, ident(i) AS cp_catalog_page_id, 2450815 AS cp_start_date_sk, 2452500 AS cp_end_date_sk, 'DEPARTMENT' AS cp_department,
    (1 + i // 10)::INTEGER AS cp_catalog_number, (1 + i % 10)::INTEGER AS cp_catalog_page_number, 'page' AS cp_description, 'monthly' AS cp_type
FROM range(30) AS t(i);

CREATE TABLE web_site AS
SELECT (i + 1)::INTEGER AS web_site_sk, ident(i // 2) AS web_site_id, DATE '1997-08-16' AS web_rec_start_date, NULL::DATE AS web_rec_end_date, 'site_' || (i // 2) AS web_name,
    2450815 AS web_open_date_sk, NULL::INTEGER AS web_close_date_sk, 'Unknown' AS web_class, 'Manager' AS web_manager, 1 AS web_mkt_id, 'class' AS web_mkt_class,
    'desc' AS web_mkt_desc, 'Boss' AS web_market_manager, 1 AS web_company_id, ['pri', 'able'][1 + i % 2] AS web_company_name, '1' AS web_street_number,
    'Elm' AS web_street_name, 'Lane' AS web_street_type, 'Suite 3' AS web_suite_number, 'Midway' AS web_city, 'Williamson County' AS web_county, 'TN' AS web_state,
    '35709' AS web_zip, 'United States' AS web_country, -5.00::DECIMAL(5, 2) AS web_gmt_offset, 0.02::DECIMAL(5, 2) AS web_tax_percentage
FROM range(4) AS t(i);

CREATE TABLE web_page AS
SELECT (i + 1)::INTEGER AS wp_web_page_sk, ident(i) AS wp_web_page_id, DATE '1997-09-03' AS wp_rec_start_date, NULL::DATE AS wp_rec_end_date, 2450815 AS wp_creation_date_sk,
    2452000 AS wp_access_date_sk, 'Y' AS wp_autogen_flag, maybe('wp_customer', i, 40, 1 + rnd('wp_customer', i, 500)) AS wp_customer_sk, 'http://www.example.com' AS wp_url,
    'general' AS wp_type, (4800 + i * 60)::INTEGER AS wp_char_count, 10 AS wp_link_count, 3 AS wp_image_count, 1 AS wp_max_ad_count
FROM range(10) AS t(i);

-- The measures of a sale from its hash: quantity, prices and the sums that follow from them.
CREATE OR REPLACE MACRO measures(seed, i) AS {
    'quantity': maybe(seed || 'q', i, 2, 1 + rnd(seed || 'q', i, 100)),
    'wholesale': cents(1 + money(seed || 'w', i, 90)), 'list': cents(2 + money(seed || 'l', i, 190)),
    'price': maybe(seed || 'p', i, 2, cents(1 + money(seed || 'p', i, 150))), 'coupon': cents(CASE WHEN rnd(seed || 'c', i, 4) = 0 THEN money(seed || 'c', i, 300) ELSE 0 END),
    'discount': cents(money(seed || 'd', i, 500)), 'tax': cents(money(seed || 't', i, 60)), 'ship': cents(money(seed || 's', i, 200))};

CREATE TABLE store_sales AS
WITH tickets AS (
    SELECT t, 1 + rnd('size', t, 20) AS size, maybe('ss_date', t, 2, 2450815 + rnd('ss_date', t, 1826)) AS sold,
        maybe('ss_time', t, 2, (8 + rnd('ss_hour', t, 13)) * 3600 + rnd('ss_min', t, 60) * 60) AS clock,
        maybe('ss_cust', t, 3, 1 + rnd('ss_cust', t, 500)) AS customer, maybe('ss_cd', t, 3, 1 + rnd('ss_cd', t, 280)) AS cdemo,
        maybe('ss_hd', t, 3, 1 + rnd('ss_hd', t, 240)) AS hdemo, maybe('ss_addr', t, 3, 1 + rnd('ss_addr', t, 400)) AS addr,
        maybe('ss_store', t, 2, 1 + rnd('ss_store', t, 6)) AS store
    FROM range(2400) AS r(t)),
lines AS (
    SELECT tickets.*, l, 1 + (rnd('ss_item', t, 200) + l * 7) % 200 AS item, measures('ss', t * 100 + l) AS m,
        maybe('ss_promo', t * 100 + l, 10, 1 + rnd('ss_promo', t * 100 + l, 12)) AS promo
    FROM tickets, range(20) AS r(l) WHERE l < size)
SELECT sold AS ss_sold_date_sk, clock::INTEGER AS ss_sold_time_sk, item::INTEGER AS ss_item_sk, customer AS ss_customer_sk, cdemo AS ss_cdemo_sk, hdemo AS ss_hdemo_sk,
    addr AS ss_addr_sk, store AS ss_store_sk, promo AS ss_promo_sk, (t + 1)::BIGINT AS ss_ticket_number, m.quantity AS ss_quantity,
    m.wholesale AS ss_wholesale_cost, m.list AS ss_list_price, m.price AS ss_sales_price, m.discount AS ss_ext_discount_amt,
    cents(m.quantity * m.price) AS ss_ext_sales_price, cents(m.quantity * m.wholesale) AS ss_ext_wholesale_cost, cents(m.quantity * m.list) AS ss_ext_list_price,
    m.tax AS ss_ext_tax, m.coupon AS ss_coupon_amt, cents(m.quantity * m.price - m.coupon) AS ss_net_paid, cents(m.quantity * m.price - m.coupon + m.tax) AS ss_net_paid_inc_tax,
    cents(m.quantity * (m.price - m.wholesale) - m.coupon) AS ss_net_profit
FROM lines ORDER BY t, l;

CREATE TABLE store_returns AS
WITH returned AS (
    SELECT *, ss_ticket_number * 200 + ss_item_sk AS i FROM store_sales WHERE rnd('sr', ss_ticket_number * 200 + ss_item_sk, 8) = 0)
SELECT maybe('sr_date', i, 2, ss_sold_date_sk + 1 + rnd('sr_date', i, 60)) AS sr_returned_date_sk, (28800 + rnd('sr_min', i, 540) * 60)::INTEGER AS sr_return_time_sk,
    ss_item_sk AS sr_item_sk, ss_customer_sk AS sr_customer_sk, ss_cdemo_sk AS sr_cdemo_sk, ss_hdemo_sk AS sr_hdemo_sk, ss_addr_sk AS sr_addr_sk,
    ss_store_sk AS sr_store_sk, maybe('sr_reason', i, 4, 1 + rnd('sr_reason', i, 8)) AS sr_reason_sk, ss_ticket_number AS sr_ticket_number,
    1 + rnd('sr_q', i, coalesce(ss_quantity, 10)) AS sr_return_quantity, cents(money('sr_amt', i, 900)) AS sr_return_amt, cents(money('sr_tax', i, 50)) AS sr_return_tax,
    cents(money('sr_amt', i, 900) + money('sr_tax', i, 50)) AS sr_return_amt_inc_tax, cents(money('sr_fee', i, 100)) AS sr_fee, cents(money('sr_ship', i, 90)) AS sr_return_ship_cost,
    cents(money('sr_refund', i, 400)) AS sr_refunded_cash, cents(money('sr_rev', i, 200)) AS sr_reversed_charge, cents(money('sr_credit', i, 100)) AS sr_store_credit,
    cents(money('sr_loss', i, 600)) AS sr_net_loss
FROM returned ORDER BY ss_ticket_number, ss_item_sk;

CREATE TABLE catalog_sales AS
WITH orders AS (
    SELECT t, 1 + rnd('cs_size', t, 10) AS size, maybe('cs_date', t, 2, 2450815 + rnd('cs_date', t, 1826)) AS sold, rnd('cs_time', t, 1440) * 60 AS clock,
        maybe('cs_cust', t, 2, 1 + rnd('cs_cust', t, 500)) AS customer, NULL::INTEGER AS item
    FROM range(1300) AS r(t)
    UNION ALL  -- what was returned in a store is bought again by the catalog
    SELECT 2000 + row_number() OVER (ORDER BY sr_ticket_number, sr_item_sk), 1, sr_returned_date_sk + 1 + rnd('cs_again', sr_ticket_number, 60), 36000, sr_customer_sk, sr_item_sk
    FROM store_returns WHERE rnd('again', sr_ticket_number * 200 + sr_item_sk, 3) = 0),
lines AS (
    SELECT orders.*, l, coalesce(item, 1 + (rnd('cs_item', t, 200) + l * 7) % 200) AS what, measures('cs', t * 100 + l) AS m, t * 100 + l AS i
    FROM orders, range(10) AS r(l) WHERE l < size)
SELECT sold AS cs_sold_date_sk, clock::INTEGER AS cs_sold_time_sk, maybe('cs_ship', i, 2, sold + 2 + rnd('cs_ship', i, 120)) AS cs_ship_date_sk, customer AS cs_bill_customer_sk,
    maybe('cs_cd', t, 3, 1 + rnd('cs_cd', t, 280)) AS cs_bill_cdemo_sk, maybe('cs_hd', t, 3, 1 + rnd('cs_hd', t, 240)) AS cs_bill_hdemo_sk,
    1 + rnd('cs_addr', t, 400) AS cs_bill_addr_sk, CASE WHEN rnd('cs_gift', t, 3) = 0 THEN 1 + rnd('cs_scust', t, 500) ELSE customer END AS cs_ship_customer_sk,
    1 + rnd('cs_scd', t, 280) AS cs_ship_cdemo_sk, 1 + rnd('cs_shd', t, 240) AS cs_ship_hdemo_sk, maybe('cs_saddr', t, 3, 1 + rnd('cs_saddr', t, 400)) AS cs_ship_addr_sk,
    maybe('cs_cc', t, 2, 1 + rnd('cs_cc', t, 3)) AS cs_call_center_sk, maybe('cs_page', i, 3, 1 + rnd('cs_page', i, 30)) AS cs_catalog_page_sk,
    maybe('cs_mode', i, 2, 1 + rnd('cs_mode', i, 10)) AS cs_ship_mode_sk, maybe('cs_wh', i, 2, 1 + rnd('cs_wh', i, 4)) AS cs_warehouse_sk, what::INTEGER AS cs_item_sk,
    maybe('cs_promo', i, 10, 1 + rnd('cs_promo', i, 12)) AS cs_promo_sk, (t + 1)::BIGINT AS cs_order_number, m.quantity AS cs_quantity, m.wholesale AS cs_wholesale_cost,
    m.list AS cs_list_price, m.price AS cs_sales_price, m.discount AS cs_ext_discount_amt, cents(m.quantity * m.price) AS cs_ext_sales_price,
    cents(m.quantity * m.wholesale) AS cs_ext_wholesale_cost, cents(m.quantity * m.list) AS cs_ext_list_price, m.tax AS cs_ext_tax, m.coupon AS cs_coupon_amt,
    m.ship AS cs_ext_ship_cost, cents(m.quantity * m.price - m.coupon) AS cs_net_paid, cents(m.quantity * m.price - m.coupon + m.tax) AS cs_net_paid_inc_tax,
    cents(m.quantity * m.price - m.coupon + m.ship) AS cs_net_paid_inc_ship, cents(m.quantity * m.price - m.coupon + m.ship + m.tax) AS cs_net_paid_inc_ship_tax,
    cents(m.quantity * (m.price - m.wholesale) - m.coupon) AS cs_net_profit
FROM lines ORDER BY t, l;

CREATE TABLE catalog_returns AS
WITH returned AS (
    SELECT *, cs_order_number * 200 + cs_item_sk AS i FROM catalog_sales WHERE rnd('cr', cs_order_number * 200 + cs_item_sk, 7) = 0)
SELECT maybe('cr_date', i, 2, cs_sold_date_sk + 3 + rnd('cr_date', i, 90)) AS cr_returned_date_sk, (rnd('cr_time', i, 1440) * 60)::INTEGER AS cr_returned_time_sk, cs_item_sk AS cr_item_sk,
    cs_bill_customer_sk AS cr_refunded_customer_sk, cs_bill_cdemo_sk AS cr_refunded_cdemo_sk, cs_bill_hdemo_sk AS cr_refunded_hdemo_sk, cs_bill_addr_sk AS cr_refunded_addr_sk,
    cs_ship_customer_sk AS cr_returning_customer_sk, cs_ship_cdemo_sk AS cr_returning_cdemo_sk, cs_ship_hdemo_sk AS cr_returning_hdemo_sk, cs_ship_addr_sk AS cr_returning_addr_sk,
    cs_call_center_sk AS cr_call_center_sk, cs_catalog_page_sk AS cr_catalog_page_sk, cs_ship_mode_sk AS cr_ship_mode_sk, cs_warehouse_sk AS cr_warehouse_sk,
    maybe('cr_reason', i, 4, 1 + rnd('cr_reason', i, 8)) AS cr_reason_sk, cs_order_number AS cr_order_number, 1 + rnd('cr_q', i, coalesce(cs_quantity, 10)) AS cr_return_quantity,
    cents(money('cr_amt', i, 12000)) AS cr_return_amount, cents(money('cr_tax', i, 90)) AS cr_return_tax, cents(money('cr_amt', i, 12000) + money('cr_tax', i, 90)) AS cr_return_amt_inc_tax,
    cents(money('cr_fee', i, 100)) AS cr_fee, cents(money('cr_ship', i, 150)) AS cr_return_ship_cost, cents(money('cr_refund', i, 400)) AS cr_refunded_cash,
    cents(money('cr_rev', i, 200)) AS cr_reversed_charge, cents(money('cr_credit', i, 100)) AS cr_store_credit, cents(money('cr_loss', i, 600)) AS cr_net_loss
FROM returned ORDER BY cs_order_number, cs_item_sk;

CREATE TABLE web_sales AS
WITH orders AS (
    SELECT t, 1 + rnd('ws_size', t, 11) AS size, maybe('ws_date', t, 2, 2450815 + rnd('ws_date', t, 1826)) AS sold, rnd('ws_time', t, 1440) * 60 AS clock,
        maybe('ws_cust', t, 2, 1 + rnd('ws_cust', t, 500)) AS customer
    FROM range(1200) AS r(t)),
lines AS (
    SELECT orders.*, l, 1 + (rnd('ws_item', t, 200) + l * 7) % 200 AS what, measures('ws', t * 100 + l) AS m, t * 100 + l AS i FROM orders, range(11) AS r(l) WHERE l < size)
SELECT sold AS ws_sold_date_sk, clock::INTEGER AS ws_sold_time_sk, maybe('ws_ship', i, 2, sold + 1 + rnd('ws_ship', i, 120)) AS ws_ship_date_sk, what::INTEGER AS ws_item_sk,
    customer AS ws_bill_customer_sk, maybe('ws_cd', t, 3, 1 + rnd('ws_cd', t, 280)) AS ws_bill_cdemo_sk, 1 + rnd('ws_hd', t, 240) AS ws_bill_hdemo_sk,
    maybe('ws_addr', t, 3, 1 + rnd('ws_addr', t, 400)) AS ws_bill_addr_sk, CASE WHEN rnd('ws_gift', t, 3) = 0 THEN 1 + rnd('ws_scust', t, 500) ELSE customer END AS ws_ship_customer_sk,
    1 + rnd('ws_scd', t, 280) AS ws_ship_cdemo_sk, 1 + rnd('ws_shd', t, 240) AS ws_ship_hdemo_sk, maybe('ws_saddr', t, 3, 1 + rnd('ws_saddr', t, 400)) AS ws_ship_addr_sk,
    maybe('ws_page', i, 2, 1 + rnd('ws_page', i, 10)) AS ws_web_page_sk, maybe('ws_site', i, 2, 1 + rnd('ws_site', i, 4)) AS ws_web_site_sk,
    maybe('ws_mode', i, 2, 1 + rnd('ws_mode', i, 10)) AS ws_ship_mode_sk, maybe('ws_wh', i, 2, 1 + rnd('ws_wh', i, 4)) AS ws_warehouse_sk,
    maybe('ws_promo', i, 10, 1 + rnd('ws_promo', i, 12)) AS ws_promo_sk, (t + 1)::BIGINT AS ws_order_number, m.quantity AS ws_quantity, m.wholesale AS ws_wholesale_cost,
    m.list AS ws_list_price, m.price AS ws_sales_price, m.discount AS ws_ext_discount_amt, cents(m.quantity * m.price) AS ws_ext_sales_price,
    cents(m.quantity * m.wholesale) AS ws_ext_wholesale_cost, cents(m.quantity * m.list) AS ws_ext_list_price, m.tax AS ws_ext_tax, m.coupon AS ws_coupon_amt,
    m.ship AS ws_ext_ship_cost, cents(m.quantity * m.price - m.coupon) AS ws_net_paid, cents(m.quantity * m.price - m.coupon + m.tax) AS ws_net_paid_inc_tax,
    cents(m.quantity * m.price - m.coupon + m.ship) AS ws_net_paid_inc_ship, cents(m.quantity * m.price - m.coupon + m.ship + m.tax) AS ws_net_paid_inc_ship_tax,
    cents(m.quantity * (m.price - m.wholesale) - m.coupon) AS ws_net_profit
FROM lines ORDER BY t, l;

CREATE TABLE web_returns AS
WITH returned AS (SELECT *, ws_order_number * 200 + ws_item_sk AS i FROM web_sales WHERE rnd('wr', ws_order_number * 200 + ws_item_sk, 7) = 0)
SELECT maybe('wr_date', i, 2, ws_sold_date_sk + 2 + rnd('wr_date', i, 90)) AS wr_returned_date_sk, (rnd('wr_time', i, 1440) * 60)::INTEGER AS wr_returned_time_sk, ws_item_sk AS wr_item_sk,
    ws_bill_customer_sk AS wr_refunded_customer_sk, ws_bill_cdemo_sk AS wr_refunded_cdemo_sk, ws_bill_hdemo_sk AS wr_refunded_hdemo_sk, ws_bill_addr_sk AS wr_refunded_addr_sk,
    ws_ship_customer_sk AS wr_returning_customer_sk, CASE WHEN rnd('wr_same', i, 2) = 0 THEN ws_bill_cdemo_sk ELSE ws_ship_cdemo_sk END AS wr_returning_cdemo_sk,
    ws_ship_hdemo_sk AS wr_returning_hdemo_sk, ws_ship_addr_sk AS wr_returning_addr_sk, ws_web_page_sk AS wr_web_page_sk, maybe('wr_reason', i, 4, 1 + rnd('wr_reason', i, 8)) AS wr_reason_sk,
    ws_order_number AS wr_order_number, 1 + rnd('wr_q', i, coalesce(ws_quantity, 10)) AS wr_return_quantity, cents(money('wr_amt', i, 12000)) AS wr_return_amt,
    cents(money('wr_tax', i, 90)) AS wr_return_tax, cents(money('wr_amt', i, 12000) + money('wr_tax', i, 90)) AS wr_return_amt_inc_tax, cents(money('wr_fee', i, 100)) AS wr_fee,
    cents(money('wr_ship', i, 150)) AS wr_return_ship_cost, cents(money('wr_refund', i, 400)) AS wr_refunded_cash, cents(money('wr_rev', i, 200)) AS wr_reversed_charge,
    cents(money('wr_credit', i, 100)) AS wr_account_credit, cents(money('wr_loss', i, 600)) AS wr_net_loss
FROM returned ORDER BY ws_order_number, ws_item_sk;

CREATE TABLE inventory AS
SELECT d_date_sk AS inv_date_sk, i_item_sk AS inv_item_sk, w_warehouse_sk AS inv_warehouse_sk,
    maybe('inv', (d_date_sk - 2450000) * 1000 + i_item_sk * 4 + w_warehouse_sk, 2,
          CASE WHEN rnd('inv_low', (d_date_sk - 2450000) * 1000 + i_item_sk * 4 + w_warehouse_sk, 3) = 0 THEN 3 ELSE 1 END
          * rnd('inv', (d_date_sk - 2450000) * 1000 + i_item_sk * 4 + w_warehouse_sk, 400)) AS inv_quantity_on_hand
FROM date_dim, item, warehouse
WHERE d_dow = 4 AND d_year IN (2000, 2001) AND i_item_sk % 4 = 1
ORDER BY d_date_sk, i_item_sk, w_warehouse_sk;
