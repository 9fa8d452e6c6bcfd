// The page of an application that holds the widget; what the widget says is kept for the test to read.
import React from "react";
import { createRoot } from "react-dom/client";
import { CarbonConnect } from "carbon-connect";

const { apiURL, accessToken } = window.application;
window.said = [];
const said = (data) => window.said.push(data);

createRoot(document.getElementById("application")).render(
  <CarbonConnect
    apiURL={apiURL}
    tokenFetcher={async () => ({ access_token: accessToken })}
    orgName="Application"
    enabledIntegrations={[{ id: "ZENDESK", syncFilesOnConnection: true, syncSourceItems: true, useCarbonFilePicker: true }]}
    entryPoint="ZENDESK"
    open={true}
    theme="light"
    useRequestIds={true}
    dataSourcePollingInterval={3000}
    tags={{ team: "support" }}
    onSuccess={said}
    onError={(error) => said({ event: "ERROR", error })}
  />,
);
