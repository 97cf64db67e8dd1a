package dev.sluice.ingest.rest;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasItem;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.sluice.ingest.Await;
import dev.sluice.ingest.BrokerResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(BrokerResource.class)
class DatasetResourceTest {

    @BeforeEach
    void ready() {
        Api.awaitReady();
    }

    @Test
    void aVersionIsCutOnceForTheSameContent() {
        Api.publish("versions", Api.conversations(0, 5)).statusCode(200).body("published", equalTo(5));
        Await.until(() -> Api.count("versions", "accepted"), accepted -> accepted == 5);
        String first = given().post("/datasets/versions/versions").then().statusCode(201).body("version", equalTo(1)).extract().path("sha256");
        given().post("/datasets/versions/versions").then().statusCode(200).body("version", equalTo(1)).body("sha256", equalTo(first));
        Api.publish("versions", Api.conversations(5, 1));
        Await.until(() -> Api.count("versions", "accepted"), accepted -> accepted == 6);
        String second = given().post("/datasets/versions/versions").then().statusCode(201).body("version", equalTo(2)).extract().path("sha256");
        assertNotEquals(first, second);
        given().get("/datasets").then().statusCode(200).body("id", hasItem("versions"));
        given().get("/datasets/versions").then().body("sha256", equalTo(second)).body("versions.size()", equalTo(2));
    }

    @Test
    void theHashDoesNotDependOnTheOrderOfTheRecords() {
        String[] lines = Api.conversations(0, 3).split("\n");
        Api.publish("order-a", String.join("\n", lines));
        Api.publish("order-b", lines[2] + "\n\n" + lines[0] + "\n" + lines[1]);
        Await.until(() -> Api.count("order-a", "accepted") + Api.count("order-b", "accepted"), accepted -> accepted == 6);
        assertEquals(given().get("/datasets/order-a").<String>path("sha256"), given().get("/datasets/order-b").<String>path("sha256"));
    }

    @Test
    void mistakesAreExplained() {
        given().get("/datasets/nobody").then().statusCode(404).contentType(Problem.MEDIA_TYPE).body("detail", containsString("GET /datasets"));
        given().post("/datasets/nobody/versions").then().statusCode(404);
        Api.publish("-bad", "{}").statusCode(400).body("title", equalTo("Not a dataset id"));
        Api.publish("empty", "\n \n").statusCode(400).body("title", equalTo("No records"));
        given().get("/nowhere").then().statusCode(404).contentType(Problem.MEDIA_TYPE);
    }

    @Test
    void aLineThatFitsNoMessageIsNamed() {
        String tooLong = "x".repeat(9 << 20);
        Api.publish("long", "{\"text\":\"a\"}\n" + tooLong + "\n{\"text\":\"b\"}").statusCode(200)
                .body("published", equalTo(2)).body("refused.line", equalTo(List.of(2)));
    }
}
