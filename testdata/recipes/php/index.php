<?php
// An endpoint for OWOX webhooks: it answers at once, then handles each run once.
// What it has seen is in files: keep that in your database, behind a unique index.
const RUN = "owox.data-marts.webhook.data_mart.run.";

if ($_SERVER["REQUEST_METHOD"] !== "POST") {
    header("Allow: POST", response_code: 405);
    exit;
}
$isJSON = str_starts_with($_SERVER["CONTENT_TYPE"] ?? "", "application/json");
$event = json_decode(file_get_contents("php://input"), true);
http_response_code($isJSON && is_string($event["id"] ?? null) ? 204 : 400);
function_exists("fastcgi_finish_request") ? fastcgi_finish_request() : flush();
if (http_response_code() === 400) exit;

$keys = [$event["id"]]; // retries have the same id, but a run can come again under a new one
if (empty($event["isTest"]) && !empty($event["data"]["run"]["id"])) {
    $keys[] = "$event[event] {$event["data"]["run"]["id"]}";
}
@mkdir($seen = sys_get_temp_dir() . "/owox-seen");
foreach ($keys as $key) { // mode x: only one request can create the file
    if (!@fopen("$seen/" . sha1($key), "x")) exit;
}
if (in_array($event["event"], [RUN . "failed", RUN . "successful"])) {
    $title = $event["data"]["dataMart"]["title"] ?? "";
    file_put_contents("php://stdout", substr($event["event"], strlen(RUN)) . " run of $title\n");
}
