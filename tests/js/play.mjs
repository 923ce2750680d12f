// Drives the main job with the AWS SDK for JavaScript; prints what it saw as JSON. Argument: json or cbor.
import { Readable } from "node:stream";
import { AwsSmithyRpcV2CborProtocol } from "@aws-sdk/core/protocols";
import * as cloudtrail from "@aws-sdk/client-cloudtrail";
import * as gamelift from "@aws-sdk/client-gamelift";
import * as s3 from "@aws-sdk/client-s3";
import * as sts from "@aws-sdk/client-sts";

const cbor = process.argv[2] === "cbor";
const endpoint = process.env.AWS_ENDPOINT_URL;
const options = cbor ? { protocol: AwsSmithyRpcV2CborProtocol } : {};
const games = new gamelift.GameLiftClient({ endpoint, ...options });
const trails = new cloudtrail.CloudTrailClient({ endpoint, ...options });
const objects = new s3.S3Client({ endpoint, forcePathStyle: true });

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
async function until(ask) {
  for (let i = 0; i < 400; i++) {
    const answer = await ask();
    if (answer) return answer;
    await sleep(50);
  }
  throw new Error("it did not happen in time");
}

const made = await games.send(new gamelift.CreateBuildCommand({ Name: "js", OperatingSystem: "AMAZON_LINUX_2023" }));
const keys = made.UploadCredentials;
const uploader = new s3.S3Client({
  endpoint,
  forcePathStyle: true,
  credentials: { accessKeyId: keys.AccessKeyId, secretAccessKey: keys.SecretAccessKey, sessionToken: keys.SessionToken },
});
await uploader.send(new s3.PutObjectCommand({ ...made.StorageLocation, Body: zip("server", "#!/bin/sh\n") }));
const BuildId = made.Build.BuildId;
await until(async () => (await games.send(new gamelift.DescribeBuildCommand({ BuildId }))).Build.Status === "READY");
const fleet = await games.send(
  new gamelift.CreateFleetCommand({
    Name: "js",
    BuildId,
    EC2InstanceType: "c5.large",
    RuntimeConfiguration: { ServerProcesses: [{ LaunchPath: "/local/game/server", ConcurrentExecutions: 2 }] },
  }),
);
const FleetId = fleet.FleetAttributes.FleetId;
const attributes = () => games.send(new gamelift.DescribeFleetAttributesCommand({ FleetIds: [FleetId] }));
await until(async () => (await attributes()).FleetAttributes[0].Status === "ACTIVE");
const shown = (await attributes()).FleetAttributes[0];
if (!(shown.CreationTime instanceof Date)) throw new Error("CreationTime is no date");
const session = await games.send(new gamelift.CreateGameSessionCommand({ FleetId, MaximumPlayerSessionCount: 3 }));
const GameSessionId = session.GameSession.GameSessionId;
await until(async () => {
  const found = await games.send(new gamelift.DescribeGameSessionsCommand({ GameSessionId }));
  return found.GameSessions[0].Status === "ACTIVE";
});
await games.send(new gamelift.CreatePlayerSessionCommand({ GameSessionId, PlayerId: "spieler-ü" }));
await games.send(new gamelift.UpdateGameSessionCommand({ GameSessionId, Name: "last" }));

let notFound;
try {
  await games.send(new gamelift.DescribeBuildCommand({ BuildId: "build-00000000-0000-0000-0000-000000000000" }));
} catch (error) {
  notFound = error.name;
}
const looked = await trails.send(
  new cloudtrail.LookupEventsCommand({ LookupAttributes: [{ AttributeKey: "EventName", AttributeValue: "UpdateGameSession" }] }),
);
const who = await new sts.STSClient({ endpoint }).send(new sts.GetCallerIdentityCommand({}));

const Bucket = `js-${process.argv[2]}`;
await objects.send(new s3.CreateBucketCommand({ Bucket }));
const Body = Readable.from(["from ", "a ", "stream"]);
await objects.send(new s3.PutObjectCommand({ Bucket, Key: "a/b c", Body, ContentLength: 13 }));
const object = await (await objects.send(new s3.GetObjectCommand({ Bucket, Key: "a/b c" }))).Body.transformToString();

console.log(
  JSON.stringify({ fleetStatus: shown.Status, notFound, looked: looked.Events.length, account: who.Account, object }),
);

// A zip with one stored file, written by hand so that nothing else has to be installed.
function zip(name, text) {
  const content = Buffer.from(text);
  const crc = crc32(content);
  const file = Buffer.from(name);
  const head = Buffer.alloc(30);
  head.write("PK\x03\x04", 0, "latin1");
  head.writeUInt16LE(20, 4);
  head.writeUInt32LE(crc, 14);
  head.writeUInt32LE(content.length, 18);
  head.writeUInt32LE(content.length, 22);
  head.writeUInt16LE(file.length, 26);
  const entry = Buffer.alloc(46);
  entry.write("PK\x01\x02", 0, "latin1");
  entry.writeUInt16LE(20, 4);
  entry.writeUInt16LE(20, 6);
  entry.writeUInt32LE(crc, 16);
  entry.writeUInt32LE(content.length, 20);
  entry.writeUInt32LE(content.length, 24);
  entry.writeUInt16LE(file.length, 28);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(46 + file.length, 12);
  end.writeUInt32LE(30 + file.length + content.length, 16);
  return Buffer.concat([head, file, content, entry, file, end]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
