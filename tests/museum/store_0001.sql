CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE settings (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_settings PRIMARY KEY (name)
);
CREATE TABLE scopes (
	id INTEGER NOT NULL, 
	org_id VARCHAR(18) NOT NULL, 
	business_id VARCHAR(32) NOT NULL, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_scopes PRIMARY KEY (id), 
	CONSTRAINT uq_scopes_org_id_business_id UNIQUE (org_id, business_id)
);
CREATE TABLE pools (
	name VARCHAR(128) NOT NULL, 
	slots INTEGER NOT NULL, 
	recorded_at FLOAT NOT NULL, 
	CONSTRAINT pk_pools PRIMARY KEY (name)
);
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	scope_id INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	run_id VARCHAR(250) NOT NULL, 
	operation_id INTEGER, 
	event VARCHAR(32) NOT NULL, 
	target VARCHAR(80) NOT NULL, 
	source_object VARCHAR(80) NOT NULL, 
	source_id VARCHAR(18) NOT NULL, 
	kashoo_id BIGINT, 
	fields JSON NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id), 
	CONSTRAINT fk_audit_scope_id FOREIGN KEY(scope_id) REFERENCES scopes (id)
);
CREATE TABLE budget_closures (
	budget VARCHAR(250) NOT NULL, 
	until FLOAT NOT NULL, 
	CONSTRAINT pk_budget_closures PRIMARY KEY (budget)
);
CREATE TABLE budget_slots (
	id INTEGER NOT NULL, 
	budget VARCHAR(250) NOT NULL, 
	taken_at FLOAT NOT NULL, 
	counts_from FLOAT NOT NULL, 
	CONSTRAINT pk_budget_slots PRIMARY KEY (id)
);
CREATE TABLE links (
	id INTEGER NOT NULL, 
	scope_id INTEGER NOT NULL, 
	target VARCHAR(16) NOT NULL, 
	source_object VARCHAR(80) NOT NULL, 
	source_id VARCHAR(18) NOT NULL, 
	part INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	sale_id VARCHAR(18) NOT NULL, 
	kashoo_id BIGINT NOT NULL, 
	version INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	currency VARCHAR(3), 
	expected_total BIGINT, 
	journal_date VARCHAR(10), 
	settlement VARCHAR(16), 
	fields JSON NOT NULL, 
	written_back JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	CONSTRAINT pk_links PRIMARY KEY (id), 
	CONSTRAINT fk_links_scope_id FOREIGN KEY(scope_id) REFERENCES scopes (id)
);
CREATE TABLE operations (
	id INTEGER NOT NULL, 
	scope_id INTEGER NOT NULL, 
	run_id VARCHAR(250) NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	action VARCHAR(16) NOT NULL, 
	target VARCHAR(80) NOT NULL, 
	source_object VARCHAR(80) NOT NULL, 
	source_id VARCHAR(18) NOT NULL, 
	part INTEGER NOT NULL, 
	generation INTEGER NOT NULL, 
	sale_id VARCHAR(18) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	lease VARCHAR(64), 
	payload_hash VARCHAR(64), 
	reference VARCHAR(64), 
	kashoo_id BIGINT, 
	contact_id BIGINT, 
	currency VARCHAR(3), 
	expected_total BIGINT, 
	journal_date VARCHAR(10), 
	link_version INTEGER NOT NULL, 
	error_class VARCHAR(64), 
	cause TEXT, 
	fix TEXT, 
	created_at FLOAT NOT NULL, 
	sent_at FLOAT, 
	deadline FLOAT, 
	closed_at FLOAT, 
	CONSTRAINT pk_operations PRIMARY KEY (id), 
	CONSTRAINT fk_operations_scope_id FOREIGN KEY(scope_id) REFERENCES scopes (id)
);
CREATE TABLE review_items (
	id INTEGER NOT NULL, 
	scope_id INTEGER NOT NULL, 
	run_id VARCHAR(250) NOT NULL, 
	target VARCHAR(80) NOT NULL, 
	source_object VARCHAR(80) NOT NULL, 
	source_id VARCHAR(18) NOT NULL, 
	kashoo_id BIGINT, 
	error_class VARCHAR(64) NOT NULL, 
	cause TEXT NOT NULL, 
	fix TEXT NOT NULL, 
	opened_at FLOAT NOT NULL, 
	closed_at FLOAT, 
	CONSTRAINT pk_review_items PRIMARY KEY (id), 
	CONSTRAINT fk_review_items_scope_id FOREIGN KEY(scope_id) REFERENCES scopes (id)
);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	scope_id INTEGER NOT NULL, 
	sync VARCHAR(64) NOT NULL, 
	run_id VARCHAR(250) NOT NULL, 
	started_at FLOAT NOT NULL, 
	finished_at FLOAT, 
	digest VARCHAR(64), 
	summary JSON, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT fk_runs_scope_id FOREIGN KEY(scope_id) REFERENCES scopes (id), 
	CONSTRAINT uq_runs_scope_id_sync_run_id UNIQUE (scope_id, sync, run_id)
);
CREATE TABLE watermarks (
	id INTEGER NOT NULL, 
	scope_id INTEGER NOT NULL, 
	source VARCHAR(128) NOT NULL, 
	value FLOAT NOT NULL, 
	run_id VARCHAR(250) NOT NULL, 
	moved_at FLOAT NOT NULL, 
	CONSTRAINT pk_watermarks PRIMARY KEY (id), 
	CONSTRAINT fk_watermarks_scope_id FOREIGN KEY(scope_id) REFERENCES scopes (id), 
	CONSTRAINT uq_watermarks_scope_id_source UNIQUE (scope_id, source)
);
INSERT INTO "alembic_version" VALUES('0001');
INSERT INTO "settings" VALUES('hash_key','745fcd79093c9682f34c30013edd95c208d1f2f0e74bc2bed4d8795d110e2998');
INSERT INTO "scopes" VALUES(1,'00D010000000001EAA','9990995975',1772452860.0);
INSERT INTO "pools" VALUES('kashoo_api',2,1772452080.0);
INSERT INTO "pools" VALUES('salesforce_api',4,1772452080.0);
INSERT INTO "audit" VALUES(1,1,1772452860.0,'run 1',1,'create','customer','Account','001010000000001AAA',9990996529,'["email", "lastName", "name"]','not in the books');
INSERT INTO "audit" VALUES(2,1,1772452860.0,'run 1',2,'create','customer','Account','001010000000002AAA',9990996542,'["email", "lastName", "name"]','not in the books');
INSERT INTO "audit" VALUES(3,1,1772452860.0,'run 1',3,'create','customer','Account','001010000000003AAA',9990996603,'["name"]','not in the books');
INSERT INTO "audit" VALUES(4,1,1772452860.0,'run 1',4,'create','item','Product2','01t010000000001AAA',9990996659,'["account", "code", "description", "name", "taxCode"]','not in the books');
INSERT INTO "audit" VALUES(5,1,1772452860.0,'run 1',5,'create','invoice','Order','801010000000001AAA',9990996752,'["contact", "currency", "date", "dueDate", "lines", "memo"]','won and not billed yet');
INSERT INTO "audit" VALUES(6,1,1772452860.0,'run 1',6,'create','invoice','Opportunity','006010000000002AAA',9990996792,'["contact", "currency", "date", "dueDate", "lines", "memo"]','won and not billed yet');
INSERT INTO "audit" VALUES(7,1,1772452860.0,'run 1',7,'create','invoice','Opportunity','006010000000003AAA',9990996807,'["contact", "currency", "date", "dueDate", "lines", "memo"]','won and not billed yet');
INSERT INTO "audit" VALUES(8,1,1772452860.0,'run 1',8,'parked','invoice','Opportunity','006010000000001AAA',NULL,'[]','contact: it is empty');
INSERT INTO "audit" VALUES(9,1,1772452920.0,'run 2',9,'write_back','Opportunity','Opportunity','006010000000002AAA',9990996792,'["Kashoo_Balance__c", "Kashoo_Invoice__c", "Kashoo_Last_Payment__c", "Kashoo_Paid__c", "Kashoo_Status__c"]','its invoice is Partly Paid');
INSERT INTO "audit" VALUES(10,1,1772452920.0,'run 2',10,'write_back','Opportunity','Opportunity','006010000000003AAA',9990996807,'["Kashoo_Balance__c", "Kashoo_Invoice__c", "Kashoo_Last_Payment__c", "Kashoo_Paid__c", "Kashoo_Status__c"]','its invoice is Open');
INSERT INTO "audit" VALUES(11,1,1772452920.0,'run 2',11,'write_back','Order','Order','801010000000001AAA',9990996752,'["Kashoo_Balance__c", "Kashoo_Invoice__c", "Kashoo_Last_Payment__c", "Kashoo_Paid__c", "Kashoo_Status__c"]','its invoice is Open');
INSERT INTO "audit" VALUES(12,1,1772452980.0,'run 3',12,'create','customer','Account','001010000000004AAA',9990996929,'["name"]','not in the books');
INSERT INTO "audit" VALUES(13,1,1772452980.0,'run 3',13,'create','customer','Account','001010000000005AAA',9990996951,'["name"]','not in the books');
INSERT INTO "audit" VALUES(14,1,1772452980.0,'run 3',14,'create','customer','Account','001010000000006AAA',9990996965,'["name"]','not in the books');
INSERT INTO "audit" VALUES(15,1,1772452980.0,'run 3',15,'in_doubt','invoice','Opportunity','006010000000004AAA',NULL,'["contact", "currency", "date", "dueDate", "lines", "memo"]','sent, but no answer came that one can trust');
INSERT INTO "budget_closures" VALUES('books',1772452880.0);
INSERT INTO "budget_slots" VALUES(96,'books',1772452980.0,1772452980.0);
INSERT INTO "budget_slots" VALUES(97,'books',1772452980.0,1772452980.0);
INSERT INTO "budget_slots" VALUES(98,'books',1772452980.0,1772452980.0);
INSERT INTO "budget_slots" VALUES(99,'books',1772452980.0,1772452980.0);
INSERT INTO "budget_slots" VALUES(100,'books',1772452980.0,1772452980.0);
INSERT INTO "links" VALUES(1,1,'customer','Account','001010000000001AAA',1,1,'001010000000001AAA',9990996529,1,'live',NULL,NULL,NULL,NULL,'{"name": ["87a26a7b416dac3e07edbbbba63f2687", "87a26a7b416dac3e07edbbbba63f2687"], "lastName": ["cf1daf73575b52f98b785c0aead0b6ca", "cf1daf73575b52f98b785c0aead0b6ca"], "email": ["75cc555a3230253c8f953aa2e349e52e", "75cc555a3230253c8f953aa2e349e52e"]}','{}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(2,1,'customer','Account','001010000000002AAA',1,1,'001010000000002AAA',9990996542,1,'live',NULL,NULL,NULL,NULL,'{"name": ["1131f3bc7ca58db6fa7198a3ce5f9301", "1131f3bc7ca58db6fa7198a3ce5f9301"], "lastName": ["cf1daf73575b52f98b785c0aead0b6ca", "cf1daf73575b52f98b785c0aead0b6ca"], "email": ["02910195de7e773cc0ef9b3efb8883d7", "02910195de7e773cc0ef9b3efb8883d7"]}','{}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(3,1,'customer','Account','001010000000003AAA',1,1,'001010000000003AAA',9990996603,1,'live',NULL,NULL,NULL,NULL,'{"name": ["bfad8350ba29f32180f574d6ae87fe2b", "bfad8350ba29f32180f574d6ae87fe2b"]}','{}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(4,1,'item','Product2','01t010000000001AAA',1,1,'01t010000000001AAA',9990996659,1,'live',NULL,NULL,NULL,NULL,'{"name": ["5ca70c91d0fb0625848f8de034d019e6", "5ca70c91d0fb0625848f8de034d019e6"], "code": ["624c49460dfe7619b5b75f25f1991f8c", "624c49460dfe7619b5b75f25f1991f8c"], "description": ["777f0d5d1fc82677ce786e246bc254ec", "777f0d5d1fc82677ce786e246bc254ec"], "account": ["0f69018457a0096780e10fe0b5b9939a", "0f69018457a0096780e10fe0b5b9939a"], "taxCode": ["c63dcd860b4c1a2e21f134c7a94eb5b7", "b7f92cd5afdd81a2cac5e9dc39aaea0a"]}','{}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(5,1,'invoice','Order','801010000000001AAA',1,1,'801010000000001AAA',9990996752,1,'live','USD',25000,'2026-03-02','Open','{"contact": ["e1f157a7599955cc506b5fe9174eb8ce", "e1f157a7599955cc506b5fe9174eb8ce"], "date": ["6b8a18d1ef04ce02c38b4cac33ea8c39", "6b8a18d1ef04ce02c38b4cac33ea8c39"], "dueDate": ["18853f906fc271801c3534e9733bc87b", "18853f906fc271801c3534e9733bc87b"], "currency": ["8f92aa1011866e9b12ad2b9db4db5392", "8f92aa1011866e9b12ad2b9db4db5392"], "memo": ["883055bfc1ce9fc09f53ad86d700457e", "883055bfc1ce9fc09f53ad86d700457e"], "lines": ["55f907a1951d6ace446eb65ac89d0125", "55f907a1951d6ace446eb65ac89d0125"]}','{"Kashoo_Invoice__c": "8b3add1f06131cb4fb022b6f928c899c", "Kashoo_Status__c": "651f5d26fd84525e8280f0408fff3332", "Kashoo_Paid__c": "0773c5e774db2a33c4cd4c548816680f", "Kashoo_Balance__c": "10c32b5525cfa67df8acec1f13c08870", "Kashoo_Last_Payment__c": "b7f92cd5afdd81a2cac5e9dc39aaea0a"}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(6,1,'invoice','Opportunity','006010000000002AAA',1,1,'006010000000002AAA',9990996792,1,'live','USD',20000,'2026-03-02','Partly Paid','{"contact": ["c52e404398da2ff84e5f7c967390be66", "c52e404398da2ff84e5f7c967390be66"], "date": ["6b8a18d1ef04ce02c38b4cac33ea8c39", "6b8a18d1ef04ce02c38b4cac33ea8c39"], "dueDate": ["18853f906fc271801c3534e9733bc87b", "18853f906fc271801c3534e9733bc87b"], "currency": ["8f92aa1011866e9b12ad2b9db4db5392", "8f92aa1011866e9b12ad2b9db4db5392"], "memo": ["947aa9c7e5548618ce3636219eee68a4", "947aa9c7e5548618ce3636219eee68a4"], "lines": ["75820f5f5fd8c004a25f48b9f5fc4850", "75820f5f5fd8c004a25f48b9f5fc4850"]}','{"Kashoo_Invoice__c": "43a38832e4ccb989367ea0d824d9e1a6", "Kashoo_Status__c": "d9c646d5e702632d2c09c422ed3c4456", "Kashoo_Paid__c": "ffd6f7e50f13eb0226a4df46939698a6", "Kashoo_Balance__c": "9e9efd81628f59118b2bc8d98484d5fa", "Kashoo_Last_Payment__c": "6b8a18d1ef04ce02c38b4cac33ea8c39"}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(7,1,'invoice','Opportunity','006010000000003AAA',1,1,'006010000000003AAA',9990996807,1,'live','USD',15000,'2026-03-02','Open','{"contact": ["6d2ce1e721f7a36a388bd729bc6be21c", "6d2ce1e721f7a36a388bd729bc6be21c"], "date": ["6b8a18d1ef04ce02c38b4cac33ea8c39", "6b8a18d1ef04ce02c38b4cac33ea8c39"], "dueDate": ["18853f906fc271801c3534e9733bc87b", "18853f906fc271801c3534e9733bc87b"], "currency": ["8f92aa1011866e9b12ad2b9db4db5392", "8f92aa1011866e9b12ad2b9db4db5392"], "memo": ["947aa9c7e5548618ce3636219eee68a4", "947aa9c7e5548618ce3636219eee68a4"], "lines": ["419ab0f41d5dd28714550f2771ac25c1", "419ab0f41d5dd28714550f2771ac25c1"]}','{"Kashoo_Invoice__c": "bb262891d9f37edd0d939446e91e5002", "Kashoo_Status__c": "651f5d26fd84525e8280f0408fff3332", "Kashoo_Paid__c": "0773c5e774db2a33c4cd4c548816680f", "Kashoo_Balance__c": "9e9efd81628f59118b2bc8d98484d5fa", "Kashoo_Last_Payment__c": "b7f92cd5afdd81a2cac5e9dc39aaea0a"}',1772452860.0,1772452860.0);
INSERT INTO "links" VALUES(8,1,'customer','Account','001010000000004AAA',1,1,'001010000000004AAA',9990996929,1,'live',NULL,NULL,NULL,NULL,'{"name": ["eb1e62db6ffa2694dfe97e1b964fa0e3", "eb1e62db6ffa2694dfe97e1b964fa0e3"]}','{}',1772452980.0,1772452980.0);
INSERT INTO "links" VALUES(9,1,'customer','Account','001010000000005AAA',1,1,'001010000000005AAA',9990996951,1,'live',NULL,NULL,NULL,NULL,'{"name": ["d74dc9aca4ac5cb2da51431675153027", "d74dc9aca4ac5cb2da51431675153027"]}','{}',1772452980.0,1772452980.0);
INSERT INTO "links" VALUES(10,1,'customer','Account','001010000000006AAA',1,1,'001010000000006AAA',9990996965,1,'live',NULL,NULL,NULL,NULL,'{"name": ["11bb62316ec23d7250d264960659ddbe", "11bb62316ec23d7250d264960659ddbe"]}','{}',1772452980.0,1772452980.0);
INSERT INTO "operations" VALUES(1,1,'run 1','salesforce_to_kashoo/Account/001010000000001AAA/1/create/1','create','customer','Account','001010000000001AAA',1,1,'001010000000001AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','4e86466a74cf5cf5d60ba28d23793533','[sf:001010000000001AAA:1:1]',9990996529,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(2,1,'run 1','salesforce_to_kashoo/Account/001010000000002AAA/1/create/1','create','customer','Account','001010000000002AAA',1,1,'001010000000002AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','7f6431b88578e5abb9b637c4da906006','[sf:001010000000002AAA:1:1]',9990996542,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(3,1,'run 1','salesforce_to_kashoo/Account/001010000000003AAA/1/create/1','create','customer','Account','001010000000003AAA',1,1,'001010000000003AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','fc99a80409534140cc51c45aef5e0620','[sf:001010000000003AAA:1:1]',9990996603,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(4,1,'run 1','salesforce_to_kashoo/Product2/01t010000000001AAA/1/create/1','create','item','Product2','01t010000000001AAA',1,1,'01t010000000001AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','198676ff30791c5095233d82990a1369','[sf:01t010000000001AAA:1:1]',9990996659,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(5,1,'run 1','salesforce_to_kashoo/Order/801010000000001AAA/1/create/1','create','invoice','Order','801010000000001AAA',1,1,'801010000000001AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','93a2d18feec9e33f70ecf73c330dae05','[sf:801010000000001AAA:1:1]',9990996752,9990996603,'USD',25000,'2026-03-02',0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(6,1,'run 1','salesforce_to_kashoo/Opportunity/006010000000002AAA/1/create/1','create','invoice','Opportunity','006010000000002AAA',1,1,'006010000000002AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','9f23970dadf7dc68f7a35def521490a1','[sf:006010000000002AAA:1:1]',9990996792,9990996529,'USD',20000,'2026-03-02',0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(7,1,'run 1','salesforce_to_kashoo/Opportunity/006010000000003AAA/1/create/1','create','invoice','Opportunity','006010000000003AAA',1,1,'006010000000003AAA','done',1,'8f0a83fe97094771a3b0fa710705cba7','0b9697dcec28749fd31b29fc0f68783a','[sf:006010000000003AAA:1:1]',9990996807,9990996542,'USD',15000,'2026-03-02',0,NULL,NULL,NULL,1772452860.0,1772452860.0,1772452920.0,1772452860.0);
INSERT INTO "operations" VALUES(8,1,'run 1','salesforce_to_kashoo/Opportunity/006010000000001AAA/1/park/1','create','invoice','Opportunity','006010000000001AAA',1,1,'006010000000001AAA','parked',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,'missing_value','contact: it is empty','Fill AccountId in Salesforce or give the mapping a default.',1772452860.0,NULL,NULL,NULL);
INSERT INTO "operations" VALUES(9,1,'run 2','kashoo_to_salesforce/Opportunity/006010000000002AAA/1/write_back/1','write_back','Opportunity','Opportunity','006010000000002AAA',1,1,'006010000000002AAA','done',1,'a6550c22011e4fe084d8be09e23049ae','2907667a965c53f234fee202be6a1dc9','[sf:006010000000002AAA:1:1]',9990996792,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,1772452920.0,1772452920.0,1772452980.0,1772452920.0);
INSERT INTO "operations" VALUES(10,1,'run 2','kashoo_to_salesforce/Opportunity/006010000000003AAA/1/write_back/1','write_back','Opportunity','Opportunity','006010000000003AAA',1,1,'006010000000003AAA','done',1,'a6550c22011e4fe084d8be09e23049ae','a81cba465ddae70c01e71d101e1673d6','[sf:006010000000003AAA:1:1]',9990996807,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,1772452920.0,1772452920.0,1772452980.0,1772452920.0);
INSERT INTO "operations" VALUES(11,1,'run 2','kashoo_to_salesforce/Order/801010000000001AAA/1/write_back/1','write_back','Order','Order','801010000000001AAA',1,1,'801010000000001AAA','done',1,'a6550c22011e4fe084d8be09e23049ae','aca04e6637775be574b182495f4e08f2','[sf:801010000000001AAA:1:1]',9990996752,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,1772452920.0,1772452920.0,1772452980.0,1772452920.0);
INSERT INTO "operations" VALUES(12,1,'run 3','salesforce_to_kashoo/Account/001010000000004AAA/1/create/1','create','customer','Account','001010000000004AAA',1,1,'001010000000004AAA','done',1,'0c1475a9e839453a9eb9064b6f5ace63','c7fda2c6f77b009b08da6c4fe9f2543f','[sf:001010000000004AAA:1:1]',9990996929,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452980.0,1772452980.0,1772453040.0,1772452980.0);
INSERT INTO "operations" VALUES(13,1,'run 3','salesforce_to_kashoo/Account/001010000000005AAA/1/create/1','create','customer','Account','001010000000005AAA',1,1,'001010000000005AAA','done',1,'0c1475a9e839453a9eb9064b6f5ace63','39cde8420890faf6793a33851c3afa46','[sf:001010000000005AAA:1:1]',9990996951,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452980.0,1772452980.0,1772453040.0,1772452980.0);
INSERT INTO "operations" VALUES(14,1,'run 3','salesforce_to_kashoo/Account/001010000000006AAA/1/create/1','create','customer','Account','001010000000006AAA',1,1,'001010000000006AAA','done',1,'0c1475a9e839453a9eb9064b6f5ace63','efb4d79116d68dd281b3b684e8ea1188','[sf:001010000000006AAA:1:1]',9990996965,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,1772452980.0,1772452980.0,1772453040.0,1772452980.0);
INSERT INTO "operations" VALUES(15,1,'run 3','salesforce_to_kashoo/Opportunity/006010000000004AAA/1/create/1','create','invoice','Opportunity','006010000000004AAA',1,1,'006010000000004AAA','in_doubt',1,'0c1475a9e839453a9eb9064b6f5ace63','4a3e7d8f9f0782ada1564478c0bcbf94','[sf:006010000000004AAA:1:1]',NULL,9990996929,'USD',80000,'2026-03-02',0,'no_answer','sent, but no answer came that one can trust','Nothing: it is looked up before anything is sent.',1772452980.0,1772452980.0,1772453040.0,NULL);
INSERT INTO "operations" VALUES(16,1,'run 3','salesforce_to_kashoo/Opportunity/006010000000005AAA/1/create/1','create','invoice','Opportunity','006010000000005AAA',1,1,'006010000000005AAA','sent',1,'0c1475a9e839453a9eb9064b6f5ace63','026c654065274cea510d1d76ceefcc17','[sf:006010000000005AAA:1:1]',NULL,9990996951,'USD',70000,'2026-03-02',0,NULL,NULL,NULL,1772452980.0,1772452980.0,1772453040.0,NULL);
INSERT INTO "operations" VALUES(17,1,'run 3','salesforce_to_kashoo/Opportunity/006010000000006AAA/1/create/1','create','invoice','Opportunity','006010000000006AAA',1,1,'006010000000006AAA','retry',2,'0c1475a9e839453a9eb9064b6f5ace63','026c654065274cea510d1d76ceefcc17','[sf:006010000000006AAA:1:1]',NULL,9990996951,'USD',60000,'2026-03-02',0,'rate_limit','Kashoo asked to slow down (429)','Nothing: it is sent again by itself.',1772452980.0,1772452980.0,1772453040.0,NULL);
INSERT INTO "operations" VALUES(18,1,'run 0','salesforce_to_kashoo/Opportunity/006010000000003AAA/1/create/1','create','invoice','Opportunity','006010000000003AAA',1,1,'006010000000003AAA','not_written',1,'8f0a83fe97094771a3b0fa710705cba7','0b9697dcec28749fd31b29fc0f68783a','[sf:006010000000003AAA:1:1]',NULL,9990996542,'USD',15000,'2026-03-02',0,NULL,'two sweeps do not show it; it is planned afresh',NULL,1772452860.0,1772452860.0,1772452920.0,1772452680.0);
INSERT INTO "operations" VALUES(19,1,'run 0','salesforce_to_kashoo/Opportunity/006010000000003AAA/1/create/1','create','invoice','Opportunity','006010000000003AAA',1,1,'006010000000003AAA','closed',0,'8f0a83fe97094771a3b0fa710705cba7',NULL,'[sf:006010000000003AAA:1:1]',NULL,9990996542,'USD',15000,'2026-03-02',0,'missing_value','contact: it is empty','Fill AccountId in Salesforce or give the mapping a default.',1772452860.0,1772452860.0,1772452920.0,1772452730.0);
INSERT INTO "review_items" VALUES(1,1,'run 1','invoice','Opportunity','006010000000003AAA',9990996807,'total_differs','expected 150.00, the books say 150.01','Compare the invoice in Kashoo.',1772452780.0,NULL);
INSERT INTO "runs" VALUES(1,1,'salesforce_to_kashoo','run 1',1772452860.0,1772452860.0,'d073954aee424f2ebf52a0226a0cb83fad1680cd0f1742700a94a0e920bf67ba','{"digest": "d073954aee424f2ebf52a0226a0cb83fad1680cd0f1742700a94a0e920bf67ba", "actions": {"customer": {"create": 3}, "item": {"create": 1}, "invoice": {"create": 3, "park": 1}}, "totals": {"USD": 60000}, "reasons": {"park: contact: it is empty": 1}, "requests": 7, "seconds": 0, "notes": ["salesforce.Account: 3 records in [2026-01-01T00:00:00+00:00, 2026-03-02T12:01:00+00:00), no watermark yet: from the beginning", "salesforce.Opportunity: 3 records in [2026-01-01T00:00:00+00:00, 2026-03-02T12:01:00+00:00), no watermark yet: from the beginning", "salesforce.Order: 1 records in [2026-01-01T00:00:00+00:00, 2026-03-02T12:01:00+00:00), no watermark yet: from the beginning", "salesforce.Product2: 12 records in [2026-01-01T00:00:00+00:00, 2026-03-02T12:01:00+00:00), no watermark yet: from the beginning"], "org_id": "00D010000000001EAA", "business_id": "9990995975"}');
INSERT INTO "runs" VALUES(2,1,'kashoo_to_salesforce','run 2',1772452920.0,1772452920.0,'9ee346f1b58bd089925a6f0f5c5d2b9818e8486adbdd352fd27bc198f7d2a4cf','{"digest": "9ee346f1b58bd089925a6f0f5c5d2b9818e8486adbdd352fd27bc198f7d2a4cf", "actions": {"Opportunity": {"write_back": 2}, "Order": {"write_back": 1}}, "totals": {}, "reasons": {}, "requests": 0, "seconds": 0.0, "notes": ["kashoo.invoices: 3 records, dated 2026-03-02 or later", "kashoo.payments: 1 records, dated 2026-03-02 or later"], "org_id": "00D010000000001EAA", "business_id": "9990995975"}');
INSERT INTO "runs" VALUES(3,1,'salesforce_to_kashoo','run 3',1772452980.0,NULL,'ba9ff74680c2d1f63d6e9c79cce4c9dc58ae19623f67c458186e44e0eb8fafe7','{"digest": "ba9ff74680c2d1f63d6e9c79cce4c9dc58ae19623f67c458186e44e0eb8fafe7", "actions": {"customer": {"create": 3, "unchanged": 3}, "item": {"unchanged": 1}, "invoice": {"create": 3, "unchanged": 3, "park": 1}}, "totals": {"USD": 210000}, "reasons": {"park: contact: it is empty": 1}, "requests": 6, "seconds": 0, "notes": ["salesforce.Account: 6 records in [2026-03-02T11:51:00+00:00, 2026-03-02T12:03:00+00:00), since the watermark", "salesforce.Opportunity: 6 records in [2026-03-02T11:51:00+00:00, 2026-03-02T12:03:00+00:00), since the watermark", "salesforce.Order: 1 records in [2026-03-02T11:51:00+00:00, 2026-03-02T12:03:00+00:00), since the watermark", "salesforce.Product2: 12 records in [2026-03-02T11:51:00+00:00, 2026-03-02T12:03:00+00:00), since the watermark"], "org_id": "00D010000000001EAA", "business_id": "9990995975"}');
INSERT INTO "watermarks" VALUES(1,1,'salesforce.Account',1772452860.0,'run 1',1772452860.0);
INSERT INTO "watermarks" VALUES(2,1,'salesforce.Opportunity',1772452860.0,'run 1',1772452860.0);
INSERT INTO "watermarks" VALUES(3,1,'salesforce.Order',1772452860.0,'run 1',1772452860.0);
INSERT INTO "watermarks" VALUES(4,1,'salesforce.Product2',1772452860.0,'run 1',1772452860.0);
INSERT INTO "watermarks" VALUES(5,1,'kashoo.invoices',1772452920.0,'run 2',1772452920.0);
INSERT INTO "watermarks" VALUES(6,1,'kashoo.payments',1772452920.0,'run 2',1772452920.0);
CREATE INDEX ix_budget_slots_budget_counts_from ON budget_slots (budget, counts_from);
CREATE INDEX ix_audit_source_id ON audit (scope_id, source_id);
CREATE INDEX ix_links_source_id ON links (scope_id, source_id);
CREATE UNIQUE INDEX uq_links_kashoo_id ON links (scope_id, target, kashoo_id, source_id) WHERE state = 'live';
CREATE UNIQUE INDEX uq_links_sale ON links (scope_id, target, sale_id, part) WHERE state = 'live';
CREATE INDEX ix_operations_source_id ON operations (scope_id, source_id);
CREATE INDEX ix_operations_state ON operations (scope_id, state);
CREATE UNIQUE INDEX uq_operations_live_key ON operations (scope_id, "key") WHERE state IN ('in_doubt', 'retry', 'sent');
CREATE UNIQUE INDEX uq_review_items_open ON review_items (scope_id, target, source_id, error_class) WHERE closed_at IS NULL;
