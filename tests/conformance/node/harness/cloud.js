// The official TypeScript clients of one cloud, driven by action and by the fields of the SDK's own models.
//
// `cloud.call("Vpc.CreateVpc", { cidrBlock })` makes the SDK's CreateVpcRequest of the fields, has the SDK send it and
// returns the body as the SDK's CreateVpcResponseBody. Fields the request model does not know fail here, before
// anything is sent; each reply is held against its model, and what differs is kept for a case of its own.

import core from "@alicloud/openapi-core";
import { RuntimeOptions } from "@darabonba/typescript";

import { REGION } from "./cloud-process.js";
import { PRODUCTS } from "./products.js";
import { deviations, unknownFields } from "./shape.js";

const { Config } = core.$OpenApiUtil;

/** A client of one product with settings of its own; each reply is handed to `judge` before the SDK reads it. */
export function productClient(address, product, settings, judge) {
  const { sdk } = PRODUCTS[product];
  const { access_key_id: accessKeyId, access_key_secret: accessKeySecret } = address.account;
  const place = { endpoint: address.host, protocol: "http", regionId: REGION };
  const client = new sdk.default(new Config({ accessKeyId, accessKeySecret, ...place, ...settings }));
  const send = client.callApi.bind(client);
  client.callApi = async (params, request, runtime) => {
    const answer = await send(params, request, runtime);
    judge(params.action, answer.body);
    return answer;
  };
  return client;
}

/** One cloud and its clients. */
export class Cloud {
  constructor(address, shapes, settings = {}) {
    this.address = address;
    this.shapes = shapes;
    this.settings = settings;
    this.clients = {};
  }

  /** The same cloud through clients with other settings: keys, signature, parameters of every call. */
  with(settings) {
    return new Cloud(this.address, this.shapes, { ...this.settings, ...settings });
  }

  client(product) {
    this.clients[product] ??= productClient(this.address, product, this.settings, (action, body) => {
      const found = deviations(PRODUCTS[product].sdk[`${action}ResponseBody`], body);
      const operation = `${product}.${action}`;
      this.shapes[operation] = new Set([...(this.shapes[operation] ?? []), ...found]);
    });
    return this.clients[product];
  }

  /** Calls `Product.Action` and returns the body of its reply, as the SDK's model. */
  async call(operation, fields = {}) {
    return (await this.answer(operation, fields)).body;
  }

  /** The whole answer: headers, status code and body. */
  async answer(operation, fields = {}) {
    const [product, action] = operation.split(".");
    const send = `${action[0].toLowerCase()}${action.slice(1)}WithOptions`;
    const request = this.request(product, action, fields);
    const runtime = new RuntimeOptions({});
    const client = this.client(product);
    return request === null ? client[send](runtime) : client[send](request, runtime);
  }

  /** The SDK's request with these fields; the region is added where the action has one. */
  request(product, action, fields) {
    const model = PRODUCTS[product].sdk[`${action}Request`];
    if (model === undefined) return null;
    const region = "regionId" in model.names() ? { regionId: REGION } : {};
    const unknown = unknownFields(model, fields);
    if (unknown.length > 0) throw new Error(`the SDK's ${action}Request has no ${unknown.join(", ")}`);
    return new model({ ...region, ...fields });
  }
}
