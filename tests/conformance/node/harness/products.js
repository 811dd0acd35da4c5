// The official clients, one a product, as the packages export them.

import * as alb from "@alicloud/alb20200616";
import * as alidns from "@alicloud/alidns20150109";
import * as cas from "@alicloud/cas20200407";
import * as ecs from "@alicloud/ecs20140526";
import * as redis from "@alicloud/r-kvstore20150101";
import * as sts from "@alicloud/sts20150401";
import * as vpc from "@alicloud/vpc20160428";

/** Product to package and API version; the package's default export is its client, the others are its models. */
export const PRODUCTS = {
  Ecs: { sdk: ecs.default, version: "2014-05-26" },
  Vpc: { sdk: vpc.default, version: "2016-04-28" },
  Alb: { sdk: alb.default, version: "2020-06-16" },
  Alidns: { sdk: alidns.default, version: "2015-01-09" },
  "R-kvstore": { sdk: redis.default, version: "2015-01-01" },
  cas: { sdk: cas.default, version: "2020-04-07" },
  Sts: { sdk: sts.default, version: "2015-04-01" },
};
